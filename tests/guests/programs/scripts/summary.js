// Sums the second column of the body by the first, as JSON.
const sums = {};
for (const line of input.trim().split("\n")) {
    const [name, amount] = line.split(",");
    sums[name] = (sums[name] ?? 0) + Number(amount);
}
print(JSON.stringify(sums, Object.keys(sums).sort(), 2));
