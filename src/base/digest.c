/* digest.c - four lanes of rotate and multiply over 64-bit words. */
#include "base/digest.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are read as they lie");

#define P 0x9e3779b97f4a7c15u /* 2^64 divided by the golden ratio ... */
#define Q 0xb504f333f9de6485u /* ... and by the root of 2, made odd: their bits look random */

static uint64_t step(uint64_t lane, uint64_t word)
{
    const uint64_t mixed = lane + word * P;
    return (mixed << 31 | mixed >> 33) * Q;
}

/* One-to-one; each bit of the result depends on every bit of x. */
static uint64_t scatter(uint64_t x)
{
    x = (x ^ x >> 32) * P;
    x = (x ^ x >> 29) * Q;
    return x ^ x >> 32;
}

static void take(uint64_t lane[FV_DIGEST_LANES], const uint8_t *bytes, size_t n_stripes)
{
    uint64_t a = lane[0], b = lane[1], c = lane[2], d = lane[3], word[FV_DIGEST_LANES];
    for (size_t i = 0; i < n_stripes; i++) {
        memcpy(word, bytes + i * FV_DIGEST_STRIPE, sizeof word);
        a = step(a, word[0]);
        b = step(b, word[1]);
        c = step(c, word[2]);
        d = step(d, word[3]);
    }
    lane[0] = a, lane[1] = b, lane[2] = c, lane[3] = d;
}

void fv__digest_init(fv_digest *digest)
{
    *digest = (fv_digest){.lane = {1, 2, 3, 4}};
}

void fv__digest_add(fv_digest *digest, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;
    const size_t n_rest = digest->n % FV_DIGEST_STRIPE;
    digest->n += n;
    if (n_rest > 0) {
        const size_t room = FV_DIGEST_STRIPE - n_rest, some = n < room ? n : room;
        memcpy(digest->rest + n_rest, from, some);
        if (some < room)
            return;
        take(digest->lane, digest->rest, 1);
        from += some;
        n -= some;
    }
    take(digest->lane, from, n / FV_DIGEST_STRIPE);
    const size_t left = n % FV_DIGEST_STRIPE;
    if (left > 0)
        memcpy(digest->rest, from + (n - left), left);
}

void fv__digest_text(fv_digest *digest, const char *text)
{
    fv__digest_add(digest, text, strlen(text) + 1);
}

void fv__digest_u64(fv_digest *digest, uint64_t value)
{
    fv__digest_add(digest, &value, sizeof value);
}

uint64_t fv__digest_value(const fv_digest *digest)
{
    const size_t n_rest = digest->n % FV_DIGEST_STRIPE;
    uint64_t lane[FV_DIGEST_LANES];
    uint8_t last[FV_DIGEST_STRIPE] = {0};
    memcpy(lane, digest->lane, sizeof lane);
    memcpy(last, digest->rest, n_rest);
    take(lane, last, 1); /* the length distinguishes zeros in the text from zeros of padding */
    uint64_t value = scatter(digest->n);
    for (int i = 0; i < FV_DIGEST_LANES; i++)
        value = scatter(value ^ lane[i]);
    return value;
}
