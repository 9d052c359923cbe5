/* number.c - reads and writes decimal numbers, in the same way in every locale.
 *
 * A host may have called setlocale; then printf writes and strtod reads "0,025". This file parses numbers
 * by hand, because strtod also accepts hexadecimal numbers and "nan". It formats one number with snprintf
 * and replaces whatever the locale puts between the digits by a point, the only effect that a locale has on
 * %f, %e and %g. This needs neither locale_t, whose creation can fail, nor localeconv, which is not
 * thread-safe. Only this file formats floating-point numbers in src/; tools/check_house.sh checks that. */
#include "base/context.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All bytes that cannot be part of a number are the locale's decimal point, which may have several bytes. */
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
        if (strtod(number.text, NULL) == value) /* in the locale that has just written it */
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
