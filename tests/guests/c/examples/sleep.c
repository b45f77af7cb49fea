/* Waits, and says so: a function that uses time but no processor.
 *
 *   argument 1   milliseconds, 0 to 600000; 10 if there is none
 *   stdout       "slept" and a newline
 *   exit         0, 1 if the clock did not advance by that much, 2 for another argument
 */
#include <stdint.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_MS = 600000, NONE = -1 };

/* The number that `text` is, or NONE. */
static int number(const char *text) {
    int value = *text == '\0' ? NONE : 0;
    for (; *text != '\0' && value != NONE; text++) {
        int digit = *text - '0';
        value = digit < 0 || digit > 9 ? NONE : value * 10 + digit;
        value = value > LONGEST_MS ? NONE : value;
    }
    return value;
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv) {
    int ms = argc > 1 ? number(argv[1]) : 10;
    if (ms == NONE) {
        return 2;
    }
    int64_t start_ns = now_ns();
    struct timespec duration = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    if (nanosleep(&duration, NULL) != 0 || now_ns() - start_ns < ms * 1000000LL) {
        return 1;
    }
    static const char line[] = "slept\n";
    return write(STDOUT_FILENO, line, sizeof line - 1) == sizeof line - 1 ? 0 : 1;
}
