/* number.c - reads decimal numbers: strtod would depend on the locale, and take hexadecimal and "nan". */
#include "base/context.h"

bool fv__parse_decimal(const char *text, double *out)
{
    const bool negative = *text == '-';
    if (*text == '-' || *text == '+')
        text++;
    uint64_t mantissa = 0;
    int exponent = 0, n_digits = 0, n_dots = 0;
    for (; (*text >= '0' && *text <= '9') || *text == '.'; text++) {
        if (*text == '.') {
            n_dots++;
            continue;
        }
        n_digits++;
        exponent -= n_dots;
        mantissa = mantissa * 10 + (uint64_t)(*text - '0');
        if (mantissa >> 53) /* within 53 bits and 10^22 one division or product rounds correctly */
            return false;
    }
    if (n_digits == 0 || n_dots > 1)
        return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        const bool minus = *text == '-';
        if (*text == '-' || *text == '+')
            text++;
        int e = 0;
        if (*text < '0' || *text > '9')
            return false;
        for (; *text >= '0' && *text <= '9' && e <= 1000; text++)
            e = e * 10 + (*text - '0');
        exponent += minus ? -e : e;
    }
    if (*text != 0 || exponent < -22 || exponent > 22)
        return false;
    double power = 1;
    for (int i = exponent < 0 ? -exponent : exponent; i > 0; i--)
        power *= 10;
    const double value = exponent < 0 ? (double)mantissa / power : (double)mantissa * power;
    *out = negative ? -value : value;
    return true;
}
