const words = "the quick brown fox".split(" ");
console.log(words.map((w) => w[0].toUpperCase() + w.slice(1)).join(" "));
console.log(JSON.stringify([2n ** 100n, "ü".normalize("NFD").length].map(String)));
function* fib() { let [a, b] = [0, 1]; for (;;) { yield a; [a, b] = [b, a + b]; } }
const first = []; for (const n of fib()) { if (first.length === 20) break; first.push(n); }
console.log(first.join(","));
console.log("2024-02-29".replace(/(?<y>\d+)-(?<m>\d+)-(?<d>\d+)/, "$<d>.$<m>.$<y>"));
Promise.resolve(42).then((v) => console.log("later", v));
