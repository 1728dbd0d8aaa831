"""Functions in C that a file may need; `Source.text` fills in its names and its type of numbers."""

from __future__ import annotations

FUNCTIONS = {
    "text_code": """
/* The place of a text among sorted ones; -1 if it is not there. */
static int @text_code(const char *text, const char *const *sorted, int count) {
    int low = 0, high = count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        const int order = strcmp(text, sorted[middle]);
        if (order == 0) return middle;
        if (order < 0) high = middle; else low = middle + 1;
    }
    return -1;
}
""",
    "number_code": """
/* The place of a number among sorted ones; -1 if it is not there. */
static int @number_code(@cell number, const @cell *sorted, int count) {
    for (int i = 0; i < count; ++i) {
        if (number == sorted[i]) return i;
    }
    return -1;
}
""",
    "one_hot": """
/* For each code, one at its place and zeros elsewhere; only zeros for a code below zero. */
static void @one_hot(const @number *codes, int count, const uint32_t *widths, @number *y) {
    for (int i = 0; i < count; ++i) {
        for (uint32_t j = 0; j < widths[i]; ++j) y[j] = $0.0;
        if (codes[i] >= $0.0 && codes[i] < (@number)widths[i]) y[(uint32_t)codes[i]] = $1.0;
        y += widths[i];
    }
}
""",
    "dense": """
/* x times weights plus intercepts: a row of weights for each result. Eight sums side by side are what vector units are good at. */
static void @dense(const @number *x, int inputs, int outputs, const @number *weights, const @number *intercepts, @number *y) {
    for (int output = 0; output < outputs; ++output) {
        const @number *w = weights + (size_t)output * (size_t)inputs;
        @number sums[8] = {$0.0, $0.0, $0.0, $0.0, $0.0, $0.0, $0.0, $0.0};
        int i = 0;
        for (; i + 8 <= inputs; i += 8) {
            for (int j = 0; j < 8; ++j) sums[j] += x[i + j] * w[i + j];
        }
        @number rest = $0.0;
        for (; i < inputs; ++i) rest += x[i] * w[i];
        rest += ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
        y[output] = rest + intercepts[output];
    }
}
""",
    "softmax": """
/* exp(x) / sum of exp(x), without overflow. */
static void @softmax(const @number *x, int count, @number *y) {
    @number largest = x[0], sum = $0.0;
    for (int i = 1; i < count; ++i) if (x[i] > largest) largest = x[i];
    for (int i = 0; i < count; ++i) {
        y[i] = $exp(x[i] - largest);
        sum += y[i];
    }
    for (int i = 0; i < count; ++i) y[i] /= sum;
}
""",
    "largest": """
/* 1 at the place of the largest number, 0 elsewhere; NaN everywhere if a number is NaN. */
static void @largest(const @number *x, int count, @number *y) {
    int first = 0, lost = -1;
    for (int i = 0; i < count; ++i) {
        if (x[i] > x[first]) first = i;
        if (x[i] != x[i]) lost = i;
    }
    for (int i = 0; i < count; ++i) y[i] = lost >= 0 ? x[lost] : i == first ? $1.0 : $0.0;
}
""",
    "sigmoid": """
static @number @sigmoid(@number x) {
    if (x >= $0.0) return $1.0 / ($1.0 + $exp(-x));
    return $exp(x) / ($1.0 + $exp(x));
}
""",
    "clip": """
static @number @clip(@number x, @number low, @number high) {
    return x < low ? low : x > high ? high : x; /* NaN stays */
}
""",
    "relu": """
static @number @relu(@number x) {
    return x < $0.0 ? $0.0 : x; /* NaN stays */
}
""",
    "leaky_relu": """
static @number @leaky_relu(@number x, @number alpha) {
    return x > $0.0 ? x : alpha * x;
}
""",
    "elu": """
static @number @elu(@number x, @number alpha) {
    return x > $0.0 ? x : alpha * $expm1(x);
}
""",
    "gelu": """
static @number @gelu(@number x) {
    return $0.5 * x * ($1.0 + $erf(x * $0.7071067811865476));
}
""",
    "gelu_tanh": """
static @number @gelu_tanh(@number x) {
    return $0.5 * x * ($1.0 + $tanh($0.7978845608028654 * (x + $0.044715 * x * x * x)));
}
""",
    "silu": """
static @number @silu(@number x) {
    return x / ($1.0 + $exp(-x));
}
""",
    "tanh": """
static @number @tanh(@number x) {
    return $tanh(x);
}
""",
    "log": """
static @number @log(@number x) {
    return $log(x);
}
""",
    "logit": """
static @number @logit(@number x) {
    return $log(x) - $log1p(-x);
}
""",
    "layer_norm": """
/* (x - mean) / sqrt(variance + epsilon) * factor + shift. */
static void @layer_norm(const @number *x, int count, @number epsilon, const @number *factor, const @number *shift, @number *y) {
    @number mean = $0.0, variance = $0.0;
    for (int i = 0; i < count; ++i) mean += x[i];
    mean /= (@number)count;
    for (int i = 0; i < count; ++i) variance += (x[i] - mean) * (x[i] - mean);
    variance = $sqrt(variance / (@number)count + epsilon);
    for (int i = 0; i < count; ++i) y[i] = (x[i] - mean) / variance * factor[i] + shift[i];
}
""",
    "channel_norm": """
/* (x - mean) * factor + shift, for each channel. */
static void @channel_norm(const @number *x, int channels, int size, const @number *mean, const @number *factor, const @number *shift,
                          @number *y) {
    for (int c = 0; c < channels; ++c) {
        for (int i = 0; i < size; ++i) y[c * size + i] = (x[c * size + i] - mean[c]) * factor[c] + shift[c];
    }
}
""",
    "windows": """
/* How windows lie on pictures of (channels, height, width); one axis has height 1. The results are (outputs, rows, columns). */
typedef struct {
    int channels, height, width, outputs, rows, columns, groups;
    int window[2], stride[2], padding[2], dilation[2];
} @windows;
""",
    "convolve": """
/* A convolution, zeros outside. The weights are (outputs, channels / groups, window). */
static void @convolve(const @number *x, const @windows *s, const @number *weights, const @number *intercepts, @number *y) {
    const int inputs = s->channels / s->groups, area = s->window[0] * s->window[1];
    for (int output = 0; output < s->outputs; ++output) {
        const @number *from = x + (size_t)(output / (s->outputs / s->groups)) * (size_t)(inputs * s->height * s->width);
        const @number *own = weights + (size_t)output * (size_t)(inputs * area);
        for (int row = 0; row < s->rows; ++row) {
            for (int column = 0; column < s->columns; ++column) {
                @number sum = $0.0;
                for (int channel = 0; channel < inputs; ++channel) {
                    for (int i = 0; i < s->window[0]; ++i) {
                        const int above = row * s->stride[0] - s->padding[0] + i * s->dilation[0];
                        if (above < 0 || above >= s->height) continue;
                        const @number *line = from + (channel * s->height + above) * s->width;
                        const @number *w = own + channel * area + i * s->window[1];
                        for (int j = 0; j < s->window[1]; ++j) {
                            const int left = column * s->stride[1] - s->padding[1] + j * s->dilation[1];
                            if (left >= 0 && left < s->width) sum += line[left] * w[j];
                        }
                    }
                }
                *y++ = sum + intercepts[output];
            }
        }
    }
}
""",
    "pool": """
/* The largest number of each window, or its mean. */
static void @pool(const @number *x, const @windows *s, int largest, int counts_padding, @number *y) {
    for (int channel = 0; channel < s->channels; ++channel, x += s->height * s->width) {
        for (int row = 0; row < s->rows; ++row) {
            for (int column = 0; column < s->columns; ++column) {
                @number found = largest ? -(@number)HUGE_VAL : $0.0;
                int count = 0;
                for (int i = 0; i < s->window[0]; ++i) {
                    const int above = row * s->stride[0] - s->padding[0] + i * s->dilation[0];
                    for (int j = 0; j < s->window[1]; ++j) {
                        const int left = column * s->stride[1] - s->padding[1] + j * s->dilation[1];
                        if (above < 0 || above >= s->height || left < 0 || left >= s->width) continue;
                        const @number cell = x[above * s->width + left];
                        if (!largest) found += cell;
                        else if (cell > found || cell != cell) found = cell; /* NaN stays */
                        ++count;
                    }
                }
                if (!largest) found /= (@number)(counts_padding ? s->window[0] * s->window[1] : count);
                *y++ = found;
            }
        }
    }
}
""",
}
"""By name, in an order in which each needs only earlier ones."""

NEEDS = {"convolve": ("windows",), "pool": ("windows",)}
