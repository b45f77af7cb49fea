// A function: standard input is the body of the request, standard output that of the response, and the
// arguments are the values of the query. What goes to standard error is in the log.

const name = process.argv.length > 1 ? process.argv[1] : "world";
const buffer = new ArrayBuffer(4096);
let bytes = 0;
for (let read = process.stdin.read(buffer); read > 0; read = process.stdin.read(buffer)) {
  bytes += read;
}
process.stdout.write(`Hello, ${name}! You sent ${bytes} bytes.\n`);
