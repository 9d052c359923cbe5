/* digit_drawing.h - the built-in procedural set: 28x28 handwritten-like digits, white on black. */
#ifndef FV_DATA_DIGITS_H
#define FV_DATA_DIGITS_H

#include "data/dataset.h"

enum { FV_DIGITS_TRAIN = 20000, FV_DIGITS_TEST = 5000, FV_DIGITS_SIDE = 28 };

/* Picture `index` of a split depends on (seed, split, index) alone, to the bit, on every machine. */
int fv__digit_label(uint64_t seed, fv_split split, uint32_t index);
void fv__digit_draw(uint64_t seed, fv_split split, uint32_t index,
                    uint8_t pixels[FV_DIGITS_SIDE * FV_DIGITS_SIDE]);

#endif
