import collections, decimal, hashlib, itertools, json, os, re, sys, zlib

text = open("/words.txt").read()
count = collections.Counter(re.findall(r"\w+", text))
print(sys.version_info[:2], sys.argv, os.listdir("/tmp"))
print(json.dumps(count.most_common(5)))
print(hashlib.sha256(text.encode()).hexdigest(), zlib.crc32(text.encode()))
decimal.getcontext().prec = 50
print(decimal.Decimal(2).sqrt())
print(sum(p for p in itertools.islice((n for n in itertools.count(2) if all(n % d for d in range(2, int(n**0.5) + 1))), 200)))
with open("/tmp/note", "w") as file:
    file.write("kept\n")
print(open("/tmp/note").read(), end="")
try:
    open("/missing.txt")
except OSError as error:
    print(type(error).__name__)
print(sys.stdin.read().upper(), end="")
sys.exit(3 if "fail" in sys.argv else 0)
