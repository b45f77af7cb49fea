/* Resizes a picture, each new pixel an average of four old ones weighted by distance (bilinear).
 *
 *   argument 1   the new width, 1 to 4096; half the old one if there is none
 *   argument 2   the new height, likewise
 *   stdin        a binary PPM (P6) with 255 as its brightest value, of at most 4096 by 4096 pixels;
 *                nothing at all stands for a built-in picture of 32 by 32
 *   stdout       a binary PPM
 *   exit         0, 1 if the answer cannot be written, 2 for a picture or a size that is not so
 */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

enum { LARGEST = 4096, CHANNELS = 3, HEADER = 32, BUILT_IN_SIDE = 32, NONE = -1 };

typedef struct {
    int width, height;
    uint8_t *pixels;
} Picture;

/* Reads all of stdin into a block that grows by doubling. */
static uint8_t *read_all(size_t *length) {
    size_t capacity = 16384;
    uint8_t *bytes = malloc(capacity);
    *length = 0;
    while (bytes != NULL) {
        ssize_t got = read(STDIN_FILENO, bytes + *length, capacity - *length);
        if (got <= 0) {
            return got == 0 ? bytes : NULL;
        }
        *length += (size_t)got;
        if (*length == capacity) {
            capacity *= 2;
            bytes = realloc(bytes, capacity);
        }
    }
    return NULL;
}

/* The next number of a PPM header, at `*at`; skips blanks and comments. */
static int header_number(const uint8_t *bytes, size_t length, size_t *at) {
    while (*at < length && (bytes[*at] == '#' || bytes[*at] <= ' ')) {
        if (bytes[*at] == '#') {
            while (*at < length && bytes[*at] != '\n') {
                ++*at;
            }
        } else {
            ++*at;
        }
    }
    int value = NONE;
    for (; *at < length && bytes[*at] >= '0' && bytes[*at] <= '9' && value <= LARGEST; ++*at) {
        value = (value == NONE ? 0 : value * 10) + (bytes[*at] - '0');
    }
    return value;
}

static int parse(uint8_t *bytes, size_t length, Picture *picture) {
    size_t at = 2;
    if (length < 2 || bytes[0] != 'P' || bytes[1] != '6') {
        return 0;
    }
    picture->width = header_number(bytes, length, &at);
    picture->height = header_number(bytes, length, &at);
    int brightest = header_number(bytes, length, &at);
    /* One blank, then the pixels. */
    at++;
    picture->pixels = bytes + at;
    return picture->width >= 1 && picture->width <= LARGEST && picture->height >= 1 &&
           picture->height <= LARGEST && brightest == 255 && at <= length &&
           length - at >= (size_t)picture->width * (size_t)picture->height * CHANNELS;
}

/* Two crossing ramps and a chequered third channel. */
static int built_in(Picture *picture) {
    picture->width = picture->height = BUILT_IN_SIDE;
    picture->pixels = malloc(BUILT_IN_SIDE * BUILT_IN_SIDE * CHANNELS);
    for (int i = 0; picture->pixels != NULL && i < BUILT_IN_SIDE * BUILT_IN_SIDE; i++) {
        int x = i % BUILT_IN_SIDE, y = i / BUILT_IN_SIDE;
        picture->pixels[i * CHANNELS] = (uint8_t)(x * 8);
        picture->pixels[i * CHANNELS + 1] = (uint8_t)(y * 8);
        picture->pixels[i * CHANNELS + 2] = (x / 4 + y / 4) % 2 ? 255 : 0;
    }
    return picture->pixels != NULL;
}

/* Where new pixel `i` of `count` lies between old pixels: index and fraction of 256. */
static void place(int i, int count, int old_count, int *index, int *fraction) {
    int64_t centre = ((2 * i + 1) * (int64_t)old_count * 128) / count - 128;
    int64_t last = (int64_t)(old_count - 1) * 256;
    centre = centre < 0 ? 0 : centre > last ? last : centre;
    *index = (int)(centre / 256);
    *fraction = (int)(centre % 256);
}

static void resize(const Picture *from, const Picture *to) {
    for (int y = 0; y < to->height; y++) {
        int row, down;
        place(y, to->height, from->height, &row, &down);
        const uint8_t *upper = from->pixels + (size_t)row * (size_t)from->width * CHANNELS;
        const uint8_t *lower = row + 1 < from->height ? upper + from->width * CHANNELS : upper;
        for (int x = 0; x < to->width; x++) {
            int column, right;
            place(x, to->width, from->width, &column, &right);
            int here = column * CHANNELS;
            int next = column + 1 < from->width ? here + CHANNELS : here;
            uint8_t *pixel = to->pixels + ((size_t)y * (size_t)to->width + (size_t)x) * CHANNELS;
            for (int c = 0; c < CHANNELS; c++) {
                int top = upper[here + c] * (256 - right) + upper[next + c] * right;
                int bottom = lower[here + c] * (256 - right) + lower[next + c] * right;
                pixel[c] = (uint8_t)((top * (256 - down) + bottom * down + 32768) >> 16);
            }
        }
    }
}

static char *decimal(int value, char *at) {
    char digits[12];
    int count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

static int write_all(const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t done = write(STDOUT_FILENO, at, length);
        if (done < 0) {
            return 0;
        }
        at += done;
        length -= (size_t)done;
    }
    return 1;
}

static int answer(const Picture *picture) {
    char header[HEADER] = "P6\n", *at = decimal(picture->width, header + 3);
    *at++ = ' ';
    at = decimal(picture->height, at);
    for (const char *rest = "\n255\n"; *rest != '\0'; rest++) {
        *at++ = *rest;
    }
    return write_all(header, (size_t)(at - header)) &&
           write_all(picture->pixels,
                     (size_t)picture->width * (size_t)picture->height * CHANNELS);
}

/* Argument `index` as a size, `otherwise` if there is none, or NONE. */
static int size(int argc, char **argv, int index, int otherwise) {
    if (argc <= index) {
        return otherwise < 1 ? 1 : otherwise;
    }
    int value = 0;
    for (const char *text = argv[index]; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || value > LARGEST) {
            return NONE;
        }
        value = value * 10 + (*text - '0');
    }
    return value >= 1 && value <= LARGEST ? value : NONE;
}

int main(int argc, char **argv) {
    size_t length;
    uint8_t *bytes = read_all(&length);
    Picture from;
    if (bytes == NULL || !(length == 0 ? built_in(&from) : parse(bytes, length, &from))) {
        return 2;
    }
    Picture to = {size(argc, argv, 1, from.width / 2), size(argc, argv, 2, from.height / 2), NULL};
    if (to.width == NONE || to.height == NONE) {
        return 2;
    }
    to.pixels = malloc((size_t)to.width * (size_t)to.height * CHANNELS);
    if (to.pixels == NULL) {
        return 2;
    }
    resize(&from, &to);
    return answer(&to) ? 0 : 1;
}
