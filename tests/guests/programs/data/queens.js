// Classes, closures, generators, regular expressions, destructuring, maps, big numbers, promises.
class Board {
    #rows = [];
    constructor(size) { this.size = size; }
    *solutions(row = 0) {
        if (row === this.size) { yield [...this.#rows]; return; }
        for (let column = 0; column < this.size; column++) {
            if (this.#rows.every((other, at) => other !== column && Math.abs(other - column) !== row - at)) {
                this.#rows.push(column);
                yield* this.solutions(row + 1);
                this.#rows.pop();
            }
        }
    }
}
const all = [...new Board(6).solutions()];
console.log(`${all.length} ways to place six queens:`, JSON.stringify(all));

const counts = new Map();
for (const [word] of "the cat and the dog and the bird".matchAll(/\p{L}+/gu)) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
}
console.log([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([w, n]) => `${w}=${n}`).join(" "));

let factorial = 1n;
for (let n = 2n; n <= 30n; n++) { factorial *= n; }
console.log(factorial.toString(), (0.1 + 0.2).toFixed(17), (255).toString(16));

try { null.x; } catch (error) { console.log(error instanceof TypeError); }

const later = (value) => new Promise((resolve) => resolve(value));
(async () => {
    const values = await Promise.all([1, 2, 3].map((n) => later(n * n)));
    console.log("later", values.reduce((sum, n) => sum + n, 0));
})();
console.log("first");
