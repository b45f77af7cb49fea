/* Finds a GPS receiver's way by an extended Kalman filter over the distances to four satellites.
 *
 *   stdin    a line per second: 16 numbers, separated by blanks or commas, in metres: x, y, z of four
 *            satellites, then the four measured distances, which share the error of the receiver's
 *            clock. Nothing at all stands for a built-in drive of 20 seconds
 *   stdout   a line per second: the estimated x, y and z, with millimetres
 *   exit     0, 1 if the answer cannot be written, 2 if a line is not so
 *
 * The state is position and speed along each axis, and the clock's error and its drift, all in
 * metres and seconds: x, vx, y, vy, z, vz, b, d. As in the programs that such filters are usually
 * measured with, after Y. Yang's GPS example for TinyEKF.
 */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

enum { STATES = 8, SATELLITES = 4, AXES = 3, NUMBERS = SATELLITES * (AXES + 1), LINE = 1024 };

typedef struct {
    double state[STATES];
    double covariance[STATES][STATES];
} Filter;

typedef struct {
    double satellite[SATELLITES][AXES];
    double distance[SATELLITES];
} Measurement;

/* Noise of a second: of speed along each axis, of the clock and its drift, and of a distance. */
static const double SPEED_NOISE = 0.5, CLOCK_NOISE = 0.36, DRIFT_NOISE = 0.01, DISTANCE_NOISE = 36;

static void start(Filter *filter) {
    for (int i = 0; i < STATES; i++) {
        filter->state[i] = 0;
        for (int j = 0; j < STATES; j++) {
            filter->covariance[i][j] = i == j ? 1e8 : 0;
        }
    }
}

/* One second passes: each of the four pairs moves by its rate, and all grow less certain. */
static void predict(Filter *filter) {
    double(*p)[STATES] = filter->covariance;
    for (int i = 0; i < STATES; i += 2) {
        filter->state[i] += filter->state[i + 1];
        for (int j = 0; j < STATES; j++) {
            p[i][j] += p[i + 1][j];
        }
    }
    for (int j = 0; j < STATES; j += 2) {
        for (int i = 0; i < STATES; i++) {
            p[i][j] += p[i][j + 1];
        }
        double noise = j == STATES - 2 ? DRIFT_NOISE : SPEED_NOISE;
        p[j][j] += noise / 3 + (j == STATES - 2 ? CLOCK_NOISE : 0);
        p[j][j + 1] += noise / 2;
        p[j + 1][j] += noise / 2;
        p[j + 1][j + 1] += noise;
    }
}

/* One distance corrects all of the state. They are taken one by one, so nothing is inverted. */
static void correct(Filter *filter, const double satellite[AXES], double distance) {
    double slope[STATES] = {0}, difference[AXES], square = 0;
    for (int axis = 0; axis < AXES; axis++) {
        difference[axis] = filter->state[2 * axis] - satellite[axis];
        square += difference[axis] * difference[axis];
    }
    double range = __builtin_sqrt(square);
    for (int axis = 0; axis < AXES; axis++) {
        slope[2 * axis] = range > 0 ? difference[axis] / range : 0;
    }
    slope[STATES - 2] = 1;

    double gain[STATES], variance = DISTANCE_NOISE;
    for (int i = 0; i < STATES; i++) {
        gain[i] = 0;
        for (int j = 0; j < STATES; j++) {
            gain[i] += filter->covariance[i][j] * slope[j];
        }
        variance += slope[i] * gain[i];
    }
    double surprise = distance - (range + filter->state[STATES - 2]);
    for (int i = 0; i < STATES; i++) {
        filter->state[i] += gain[i] / variance * surprise;
        for (int j = 0; j < STATES; j++) {
            filter->covariance[i][j] -= gain[i] * gain[j] / variance;
        }
    }
}

/* Writes `value` with three decimals, rounded, and returns where it ends. */
static char *decimal(double value, char *at) {
    char digits[24];
    int count = 0;
    if (value < 0) {
        *at++ = '-';
        value = -value;
    }
    uint64_t thousandths = value < 1e15 ? (uint64_t)(value * 1000 + 0.5) : UINT64_MAX;
    do {
        digits[count++] = (char)('0' + thousandths % 10);
        thousandths /= 10;
    } while (thousandths != 0 || count < 4);
    while (count > 0) {
        if (count == 3) {
            *at++ = '.';
        }
        *at++ = digits[--count];
    }
    return at;
}

static int step(Filter *filter, const Measurement *measurement) {
    predict(filter);
    for (int s = 0; s < SATELLITES; s++) {
        correct(filter, measurement->satellite[s], measurement->distance[s]);
    }
    char line[96], *at = line;
    for (int axis = 0; axis < AXES; axis++) {
        at = decimal(filter->state[2 * axis], at);
        *at++ = axis == AXES - 1 ? '\n' : ' ';
    }
    return write(STDOUT_FILENO, line, (size_t)(at - line)) == at - line;
}

/* A drive in a curve, seen by four satellites that stand still, with a clock that runs ahead. */
static void drive(int second, Measurement *measurement) {
    static const double sky[SATELLITES][AXES] = {
        {15.6e6, 7.54e6, 20.14e6}, {18.76e6, -2.75e6, 18.61e6},
        {-17.61e6, 14.63e6, 13.48e6}, {-1.1e6, -19.17e6, 18.39e6}};
    double t = second;
    double position[AXES] = {1000 + 12 * t, 2000 + 8 * t - 0.2 * t * t, 30 + 0.5 * t};
    for (int s = 0; s < SATELLITES; s++) {
        double square = 0;
        for (int axis = 0; axis < AXES; axis++) {
            double difference = position[axis] - sky[s][axis];
            measurement->satellite[s][axis] = sky[s][axis];
            square += difference * difference;
        }
        measurement->distance[s] = __builtin_sqrt(square) + 150 + 0.3 * t;
    }
}

static int blank(int byte) { return byte == ' ' || byte == '\t' || byte == ',' || byte == '\r'; }

/* The number at `*at`, with a sign and decimals but no exponent. */
static int number(const char **at, double *value) {
    while (blank(**at)) {
        ++*at;
    }
    double sign = **at == '-' ? -1 : 1, place = 1;
    *at += **at == '-';
    int digits = 0, point = 0;
    *value = 0;
    for (; (**at >= '0' && **at <= '9') || (**at == '.' && !point); ++*at) {
        if (**at == '.') {
            point = 1;
            continue;
        }
        digits++;
        *value = *value * 10 + (**at - '0');
        place *= point ? 10 : 1;
    }
    *value *= sign / place;
    return digits > 0;
}

static int parse(const char *line, Measurement *measurement) {
    double numbers[NUMBERS];
    for (int i = 0; i < NUMBERS; i++) {
        if (!number(&line, &numbers[i])) {
            return 0;
        }
    }
    while (blank(*line)) {
        line++;
    }
    for (int i = 0; i < NUMBERS; i++) {
        if (i < SATELLITES * AXES) {
            measurement->satellite[i / AXES][i % AXES] = numbers[i];
        } else {
            measurement->distance[i - SATELLITES * AXES] = numbers[i];
        }
    }
    return *line == '\0';
}

/* The next line of stdin without its end: its length, or -1 at the end of stdin, -2 if too long. */
static int read_line(char line[LINE]) {
    static char buffer[4096];
    static ssize_t filled, used;
    for (int length = 0; length < LINE;) {
        if (used == filled) {
            used = 0;
            filled = read(STDIN_FILENO, buffer, sizeof buffer);
            if (filled <= 0) {
                filled = 0;
                line[length] = '\0';
                return length > 0 ? length : -1;
            }
        }
        char byte = buffer[used++];
        if (byte == '\n') {
            line[length] = '\0';
            return length;
        }
        line[length++] = byte;
    }
    return -2;
}

int main(void) {
    static Filter filter;
    Measurement measurement;
    char line[LINE];
    int lines = 0, length;
    start(&filter);
    while ((length = read_line(line)) >= 0) {
        if (!parse(line, &measurement)) {
            return 2;
        }
        lines++;
        if (!step(&filter, &measurement)) {
            return 1;
        }
    }
    for (int second = 0; lines == 0 && second < 20; second++) {
        drive(second, &measurement);
        if (!step(&filter, &measurement)) {
            return 1;
        }
    }
    return length == -2 ? 2 : 0;
}
