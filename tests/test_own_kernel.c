/* test_own_kernel.c - an instruction set's own kernel takes the template's place in its table, and no other.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "kernels/kernel.h"

static void own_add(const fv_call *call)
{
    call->p[0][0] = 42.0f;
}

#define FV_OWN_KERNELS    [FV_KERNEL_add] = own_add,
#define FV_ISA_ID         FV_ISA_PORTABLE
#define FV_KERNELS_SYMBOL table_with_an_own_kernel
#include "kernels/all_kernels.inc"

static void test_own(void **state)
{
    (void)state;
    float y = 0;
    const fv_call call = {.p = {&y}};
    table_with_an_own_kernel.run[FV_KERNEL_add](&call);
    assert_true(y == 42.0f);
    for (fv_kernel_id k = 0; k < FV_N_KERNELS; k++)
        assert_true((table_with_an_own_kernel.run[k] == own_add) == (k == FV_KERNEL_add));
    assert_ptr_equal(table_with_an_own_kernel.run[FV_KERNEL_bias], kernel_bias);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_own)};
    return cmocka_run_group_tests_name("own_kernel", tests, NULL, NULL);
}
