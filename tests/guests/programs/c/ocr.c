/* Reads text out of pictures: gocr, whose `main` is called with the name under which it takes its input
 * from where the body of a request is.
 *
 *   stdin    a picture of text: PBM, PGM or PPM
 *   stdout   the text
 *   exit     gocr's own
 */
#include <errno.h>

int gocr_main(int argc, char **argv);

/* For an option of gocr's that sends its messages into a file. There is no such thing in WASI. */
int dup2(int from, int to) {
    (void)from, (void)to;
    errno = ENOTSUP;
    return -1;
}

/* In the place of `list_and_data_free` (`--wrap`), which gocr calls once, at its end, with a function that has
 * another type than the one it is called by: the trap `bad-signature`. All memory goes with the request. */
int __wrap_list_and_data_free(void *list, void (*release)(void *)) {
    (void)list, (void)release;
    return 0;
}

int main(void) {
    char *arguments[] = {"ocr", "-", 0};
    return gocr_main(2, arguments);
}
