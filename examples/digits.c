/* digits.c - the library in one program: opens data, builds a network, trains it, measures it, and classifies
 * one picture. Usage: digits [IMAGES]: with a number, only as many training and test images.
 *
 * From an installed Fovea: cc digits.c $(pkg-config --cflags --static --libs fovea) -o digits */
#include <fovea.h>
#include <stdio.h>
#include <stdlib.h>

#define TRY(call)                                                                                            \
    if ((status = (call)) != FV_OK)                                                                          \
    goto done

static bool show(void *user, const fv_progress *p)
{
    (void)user;
    if (p->event == FV_EVENT_EPOCH)
        printf("epoch %d of %d: loss %.4f, test error %.2f%%, %.0f images/s\n", p->epoch, p->epochs,
               p->train_loss, 100 * p->test_error, p->samples_per_s);
    return true; /* false would stop the training */
}

int main(int argc, char **argv)
{
    const fv_data_options which = {.limit = argc > 1 ? atoi(argv[1]) : 0};
    fv_train_options options = fv_train_options_default();
    fv_context *ctx = NULL;
    fv_data *train = NULL, *test = NULL;
    fv_builder *b = NULL;
    fv_model *net = NULL;
    fv_score score;
    float p[10];
    char why[256] = "";
    fv_status status;

    TRY(fv_context_create(&(fv_context_options){0}, &ctx, why, sizeof why));
    TRY(fv_data_open(ctx, "digits", FV_SPLIT_TRAIN, &which, &train));
    TRY(fv_data_open(ctx, "digits", FV_SPLIT_TEST, &which, &test));

    TRY(fv_builder_create(ctx, 1, 28, 28, &b));
    fv_builder_conv(b, "edges", 8, (fv_window){.kernel_h = 5, .kernel_w = 5, .padding = 2});
    fv_builder_layer(b, "relu");
    fv_builder_max_pool(b, (fv_window){.kernel_h = 4, .kernel_w = 4});
    fv_builder_layer(b, "flatten");
    fv_builder_linear(b, "out", 10);
    fv_builder_layer(b, "softmax");
    TRY(fv_builder_finish(b, &net));

    options.epochs = 2;
    TRY(fv_train(net, train, test, &options, show, NULL));
    TRY(fv_evaluate(net, test, &score));
    TRY(fv_predict(net, test, 0, 1, p));
    const int label = fv_data_label(test, 0);
    printf("%d of %d wrong; the first is a %d: %.1f%% sure\n", score.n_wrong, score.n, label, 100 * p[label]);
done:
    if (status != FV_OK)
        fprintf(stderr, "digits: %s\n", ctx ? fv_message(ctx) : why);
    fv_model_destroy(net);
    fv_data_destroy(test);
    fv_data_destroy(train);
    fv_context_destroy(ctx);
    return status == FV_OK ? 0 : 1;
}
