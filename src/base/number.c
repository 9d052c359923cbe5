/* number.c - decimal numbers, read and written alike in every locale.
 *
 * A host may have called setlocale, and then printf writes and strtod reads "0,025". Reading is done here by
 * hand: strtod would take hexadecimal and "nan", too. Writing formats one number by snprintf and puts a point
 * for what the locale put between its digits, which is all that %f, %e and %g take from a locale. That needs
 * no locale_t, which can fail to be had, and not localeconv, which is not thread-safe. This file alone
 * formats floating-point numbers in src/: tools/check_house.sh sees to it. */
#include "base/context.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Any bytes but those of a number are the locale's point, which may take several. */
static void put_point(char *text)
{
    const size_t whole = strspn(text, "+-0123456789einfa");
    const size_t point = strcspn(text + whole, "+-0123456789einfa");
    if (point == 0)
        return;
    text[whole] = '.';
    memmove(text + whole + 1, text + whole + point, strlen(text + whole + point) + 1);
}

fv_number fv__general(double value, int digits)
{
    fv_number number;
    snprintf(number.text, sizeof number.text, "%.*g", digits, value);
    put_point(number.text);
    return number;
}

fv_number fv__fixed(double value, int decimals)
{
    if (!(fabs(value) < 1e15))
        return fv__general(value, 17);
    fv_number number;
    snprintf(number.text, sizeof number.text, "%.*f", decimals, value);
    put_point(number.text);
    return number;
}

fv_number fv__exact(double value)
{
    fv_number number;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(number.text, sizeof number.text, "%.*g", digits, value);
        if (strtod(number.text, NULL) == value) /* of the locale that has just written it */
            break;
    }
    put_point(number.text);
    return number;
}

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
