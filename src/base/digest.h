/* digest.h - a hash of 64 bits that detects damaged files, other data and other texts. It is not
 * cryptographic: two sequences with the same digest can be constructed.
 *
 *     lane[i] = rotl(lane[i] + word * p, 31) * q      word: 8 bytes, little endian; 4 lanes; p, q odd
 *
 * This is the round of xxHash (https://github.com/Cyan4973/xxHash, XXH64) with multipliers of our own. Each
 * step is one-to-one in the lane and in the word, so a change within one word always changes the digest.
 * Four lanes hide the multiplication's latency: several bytes a cycle. The digest depends on the bytes
 * alone, not on how they are split into pieces. */
#ifndef FV_BASE_DIGEST_H
#define FV_BASE_DIGEST_H

#include "base/exact.h"

#include <stddef.h>
#include <stdint.h>

enum { FV_DIGEST_LANES = 4, FV_DIGEST_STRIPE = 8 * FV_DIGEST_LANES };

typedef struct fv_digest {
    uint64_t lane[FV_DIGEST_LANES];
    uint8_t rest[FV_DIGEST_STRIPE]; /* the last n % FV_DIGEST_STRIPE bytes, which are not yet in the lanes */
    uint64_t n;                     /* number of bytes so far */
} fv_digest;

void fv__digest_init(fv_digest *digest);
void fv__digest_add(fv_digest *digest, const void *bytes, size_t n);
/* Includes the NUL, so that the texts "ab", "c" differ from "a", "bc". */
void fv__digest_text(fv_digest *digest, const char *text);
void fv__digest_u64(fv_digest *digest, uint64_t value);
uint64_t fv__digest_value(const fv_digest *digest); /* of all bytes so far; more may be added */

#endif
