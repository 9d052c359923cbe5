/* blocks.c - the table of block sizes. */
#include "kernels/blocks.h"

#include <string.h>

/* Measured on cores with 48 KiB of L1 and 1 MiB of L2 (AMD Zen 5). */
#define MEASURED                                                                                             \
    .group_bytes = 640 * 1024, .group_blocks = 4, .stretch_bytes = 192 * 1024, .pixels_terms = 512,          \
    .pixels_bytes = 416 * 1024, .winograd_terms = 1024, .rows_bytes = 256 * 1024, .rows_pixels = 16,         \
    .rows_outputs = 256, .rows_sums_bytes = 1024 * 1024, .wide_bytes = 128 * 1024,                           \
    .winograd_dw_outputs = 128, .winograd_dw_inputs = 64, .c16_bytes = 256 * 1024, .c16_terms = 128,         \
    .unfold_terms = 144, .winograd_chunk = 32, .attention_queries = 20

/* By family, with the names of fv_machine. No better numbers have been measured for any of them yet, so all
 * are the same. */
static const fv_blocks families[] = {
    {.name = "amd", MEASURED},
    {.name = "intel", MEASURED},
    {.name = "arm", MEASURED},
};
static const fv_blocks any = {.name = "any", MEASURED};

const fv_blocks *fv__blocks_for(const fv_machine *machine)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strcmp(families[i].name, machine->family) == 0)
            return &families[i];
    return &any;
}
