/* The n-th Fibonacci number, by the doubly recursive definition: a load for the processor.
 *
 *   argument 1   n, 0 to 47; 20 if there is none
 *   stdout       the number and a newline
 *   exit         0, or 2 for an argument that is no such number
 */
#include <stdint.h>
#include <unistd.h>

enum { LARGEST = 47, NONE = -1 };

static uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

/* The number that `text` is, or NONE. */
static int number(const char *text) {
    int value = 0;
    if (*text == '\0') {
        return NONE;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return NONE;
        }
        value = value * 10 + (*text - '0');
        if (value > LARGEST) {
            return NONE;
        }
    }
    return value;
}

/* Writes `value` in decimal before `end` and returns where it starts. */
static char *decimal(uint32_t value, char *end) {
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return end;
}

int main(int argc, char **argv) {
    int n = argc > 1 ? number(argv[1]) : 20;
    if (n == NONE) {
        static const char usage[] = "fib: the argument is a number from 0 to 47\n";
        write(STDERR_FILENO, usage, sizeof usage - 1);
        return 2;
    }
    char line[12];
    char *end = line + sizeof line;
    *--end = '\n';
    char *start = decimal(fib((uint32_t)n), end);
    size_t length = (size_t)(line + sizeof line - start);
    return write(STDOUT_FILENO, start, length) == (ssize_t)length ? 0 : 1;
}
