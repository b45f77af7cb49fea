/* Answers with the body, byte for byte.
 *
 *   stdin    anything
 *   stdout   the same
 *   exit     0, or 1 if nobody takes the answer
 */
#include <unistd.h>

static char buffer[16384];

int main(void) {
    for (;;) {
        ssize_t length = read(STDIN_FILENO, buffer, sizeof buffer);
        if (length == 0) {
            return 0;
        }
        if (length < 0) {
            return 1;
        }
        for (ssize_t done = 0; done < length;) {
            ssize_t written = write(STDOUT_FILENO, buffer + done, (size_t)(length - done));
            if (written < 0) {
                return 1;
            }
            done += written;
        }
    }
}
