/* model_mistakes.h - texts that are refused, each with the message that says why. Include after cmocka.h. */
#ifndef FV_TESTS_MODEL_MISTAKES_H
#define FV_TESTS_MODEL_MISTAKES_H

#include "model/model.h"
#include "one_context.h"

#include <string.h>

#define IN  "input image 1x8x8\n"
#define END "flatten\nlinear out 3\nsoftmax\n"

typedef struct mistake {
    const char *text, *message;
} mistake;

static inline void expect_mistakes(const mistake *mistakes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fv_model *model = NULL;
        const fv_status status = fv_model_from_text(ctx, mistakes[i].text, "m", &model);
        if (status != FV_ERR_INPUT)
            print_error("not refused: %s\n", mistakes[i].text);
        assert_int_equal(status, FV_ERR_INPUT);
        assert_null(model);
        assert_string_equal(fv_message(ctx), mistakes[i].message);
    }
}
#define EXPECT(mistakes) expect_mistakes(mistakes, sizeof mistakes / sizeof mistakes[0])

#endif
