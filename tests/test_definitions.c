/* test_definitions.c - definitions, uses and repetitions of the model text: what they become, what is said
 * where they are wrong, and that a short text cannot become a large one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model_mistakes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fv_model *model_of(const char *text)
{
    fv_model *model = NULL;
    if (fv_model_from_text(ctx, text, "m", &model) != FV_OK)
        fail_msg("%s\n%s", fv_message(ctx), text);
    return model;
}

/* Both texts are the same network: names, shapes and values of parameters, and the layers in their order. */
static void expect_same(const char *text, const char *plain)
{
    fv_model *const a = model_of(text), *const b = model_of(plain);
    const int n = fv_model_n_parameters(b), n_layers = fv_model_describe(b).n_layers;
    assert_int_equal(fv_model_n_parameters(a), n);
    for (int i = 0; i < n; i++)
        assert_string_equal(fv_model_parameter(a, i).name, fv_model_parameter(b, i).name);
    assert_int_equal(fv_model_describe(a).n_layers, n_layers);
    for (int i = 0; i < n_layers; i++) {
        const fv_layer_info p = fv_model_layer(a, i), q = fv_model_layer(b, i);
        assert_string_equal(p.kind, q.kind);
        assert_int_equal(p.rank, q.rank);
        assert_memory_equal(p.shape, q.shape, (size_t)q.rank * sizeof *q.shape);
        assert_true(p.flops == q.flops);
    }
    assert_true(fv_model_hash(a) == fv_model_hash(b));
    assert_string_equal(fv_model_text(a), text); /* as it was written */
    fv_model_destroy(a);
    fv_model_destroy(b);
}

#define BLOCK                                                                                                \
    "define block width\n"                                                                                   \
    "  conv conv1 $width 3x3 pad=1 bias=no   # $comment\n"                                                   \
    "  batchnorm bn1\n"                                                                                      \
    "  relu\n"                                                                                               \
    "  conv conv2 $width 3x3 pad=1 bias=no\n"                                                                \
    "  batchnorm bn2\n"                                                                                      \
    "  add input\n"                                                                                          \
    "end\n"
#define FLAT(name, before)                                                                                   \
    "conv " name ".conv1 4 3x3 pad=1 bias=no\nbatchnorm " name ".bn1\nrelu\n"                                \
    "conv " name ".conv2 4 3x3 pad=1 bias=no\nbatchnorm " name ".bn2\nadd " before " name=" name "\n"

/* `input` is what the use reads, the use's name what it puts out. */
static void blocks(void **state)
{
    (void)state;
    static const char flat[] = IN "conv c 4 1x1\n" FLAT("a.0", "c") FLAT("a.1", "a.0") FLAT("b", "a.1") END;
    expect_same(BLOCK IN
                "conv c 4 1x1\nuse block 4 name=a.0\nuse block width=4 name=a.1\nuse block 4 name=b\n" END,
                flat);
    expect_same(IN "conv c 4 1x1\n" BLOCK "repeat 2 i\nuse block 4 name=a.$i\nend\nuse block 4 name=b\n" END,
                flat);
    expect_same(BLOCK
                "define stage width blocks first=0\nrepeat $blocks i=$first\nuse block $width name=$i\nend\n"
                "end\n" IN "conv c 4 1x1\nuse stage 4 2 name=a\nuse block 4 name=b\n" END,
                flat);
    /* without a name: the definition's, with a number; with '.' the names are those of the place */
    expect_same(BLOCK IN
                "conv c 4 1x1\nuse block 4\nuse block 4\nconv block3 4 1\nuse block 4 from=c\nadd block2\n"
                "add block3\n" END,
                IN "conv c 4 1x1\n" FLAT("block", "c")
                    FLAT("block2",
                         "block") "conv block3 4 1\n"
                                  "conv block4.conv1 4 3x3 pad=1 bias=no from=c\nbatchnorm block4.bn1\nrelu\n"
                                  "conv block4.conv2 4 3x3 pad=1 bias=no\nbatchnorm block4.bn2\nadd c\nadd "
                                  "block2\nadd block3\n" END);
    expect_same("define stem c\nconv conv1 $c 3x3\nrelu name=o\nend\n" IN
                "use stem 4 name=.\ntanh\nadd o\n" END,
                IN "conv conv1 4 3x3\nrelu name=o\ntanh\nadd o\n" END);
    /* layers of a use can be named from outside, a use within a use from its own place */
    expect_same(BLOCK "define two\nuse block 4 name=x\nuse block 4 name=y\nadd x.bn1\nend\n" IN
                      "conv c 4 1x1\nuse two name=t\nadd t.y.bn2\n" END,
                IN "conv c 4 1x1\n" FLAT("t.x", "c") FLAT("t.y", "t.x") "add t.x.bn1\nadd t.y.bn2\n" END);
}

/* A layer that is given to a definition is looked up where it was written, through every use on the way. */
static void layers_as_values(void **state)
{
    (void)state;
    expect_same(
        "define inner other\nconv conv1 4 1\nadd $other\nend\n"
        "define outer other\nconv conv1 4 1\nuse inner $other name=deep\nuse inner conv1 name=own\nend\n" IN
        "conv conv1 4 1\nuse outer conv1 name=o\nuse inner other=o.deep.conv1 name=last\n" END,
        IN "conv conv1 4 1\nconv o.conv1 4 1\nconv o.deep.conv1 4 1\nadd conv1\nconv o.own.conv1 4 1\n"
           "add o.conv1\nconv last.conv1 4 1\nadd o.deep.conv1\n" END);
    /* a value is a word, a part of a word, a key's value, or the layer's own word */
    expect_same(
        "define any layer activation size=3 pad=1\n$layer c$size.$pad 4 $size pad=$pad\n$activation\nend\n"
        "define twice what\nrepeat 2 k\nuse any $what leakyrelu 3 pad=$k name=part$k\nend\nend\n" IN
        "use twice conv name=a\nuse any conv relu 5\n" END,
        IN "conv a.part0.c3.0 4 3 pad=0\nleakyrelu\nconv a.part1.c3.1 4 3 pad=1\nleakyrelu\n"
           "conv any.c5.1 4 5 pad=1\nrelu\n" END);
}

/* A repetition of nothing is left out; a text that ends in a use says its loss. */
static void repetitions(void **state)
{
    (void)state;
    expect_same(IN "repeat 0\nconv c 4 1\nend\nrepeat 3\nrelu\nend\n" END, IN "relu\nrelu\nrelu\n" END);
    expect_same(IN "repeat 2 i=3\nrepeat 2 j\nconv c$i.$j $i 1\nend\nend\n" END,
                IN "conv c3.0 3 1\nconv c3.1 3 1\nconv c4.0 4 1\nconv c4.1 4 1\n" END);
    expect_same("define head n\nflatten\nlinear out $n\nsoftmax\nend\n" IN "use head 3 name=head\n",
                IN "flatten\nlinear head.out 3\nsoftmax\n");
    expect_same("define head n\r\n  flatten # so\r\n\tlinear out $n\r\n softmax\r\n end # of it\r\n" IN
                "use head 3 name=head\r\n\r\nloss cross-entropy",
                IN "flatten\nlinear head.out 3\nsoftmax\n");
}

/* Names as long as they may be, and automatic ones behind them. */
static void long_names(void **state)
{
    (void)state;
    expect_same("define d\nglobalavgpool\nglobalavgpool\nend\n" IN
                "use d name=a23456789012345678901234567890123456789012345678\n" END,
                IN "globalavgpool\nglobalavgpool\n" END);
    fv_model *const model = model_of("define d\nbatchnorm b\nglobalavgpool\nglobalavgpool\nend\n" IN
                                     "use d name=a2345678901234567890123456789012345678901234.6\n" END);
    assert_string_equal(fv_model_layer(model, 3).name,
                        "a2345678901234567890123456789012345678901234.6.globalavgpool2");
    fv_model_destroy(model);
}

static void wrong_definitions(void **state)
{
    (void)state;
    static const mistake mistakes[] = {
        {"define\nend\n" IN END, "m:1:7: the line ends too early; expected 'define NAME PARAMETER...'"},
        {"define 2\nend\n" IN END,
         "m:1:8: '2' is no name: a letter or '_' first, then letters, digits, '_', '-' "
         "and single '.', at most 48"},
        {"define d\nrelu\n" IN END, "m:1:1: the definition has no 'end'"},
        {"define d\nrepeat 2\nrelu\nend\n" IN END, "m:1:1: the definition has no 'end'"},
        {IN "repeat 2\nrelu\n" END, "m:2:1: the repetition has no 'end'"},
        {IN "end\n" END, "m:2:1: 'end' without a 'define' or a 'repeat' before it"},
        {"define a\ndefine b\nend\nend\n" IN END,
         "m:2:1: 'define' inside the definition of line 1; definitions stand outside of others"},
        {IN "repeat 2\ndefine b\nend\nend\n" END,
         "m:3:1: 'define' inside the repetition of line 2; definitions stand outside of others"},
        {"define d\nrelu\nend\ndefine d\nrelu\nend\n" IN END, "m:4:8: 'd' is defined on line 1 already"},
        {"define d a b\nconv $a 3 3\nend\n" IN END, "m:1:12: no line of 'd' has '$b'"},
        {"define d a\nconv c 3 3 # $a\nend\n" IN END, "m:1:10: no line of 'd' has '$a'"},
        {"define d a a\nconv $a 3 3\nend\n" IN END, "m:1:12: the parameter 'a' is there twice"},
        {"define d $a\nconv $a 3 3\nend\n" IN END,
         "m:1:10: '$a' stands outside of definitions and counted repetitions"},
        {"define d a.b\nconv $a 3 3\nend\n" IN END,
         "m:1:10: 'a.b' is no name of a parameter: letters, digits and '_', no digit first, at most 48"},
        {"define d name\nconv $name 3 3\nend\n" IN END,
         "m:1:10: every use has the key 'name'; call the parameter otherwise"},
        {"define d a=\nconv $a 3 3\nend\n" IN END, "m:1:10: the default of 'a' is empty"},
        {"define d a=2 b\nconv $b 3 $a\nend\n" IN END,
         "m:1:14: 'b' has no default, but stands behind one that has"},
        {"define d\nrelu\nend\n" IN END, "m:1:1: no line uses 'd'"},
        {"define d\nend\n" IN "use d\n" END, "m:4:1: 'd' has no layer"},
        {"define d\ninput image 1x8x8\nend\n" IN "use d\n" END,
         "m:2:1: 'input' inside a definition or repetition; layers, 'use' and 'repeat' stand there (in 'd', "
         "used on "
         "line 5)"},
        {IN "repeat 1\nloss squared-error\nend\n" END,
         "m:3:1: 'loss' inside a definition or repetition; layers, 'use' and 'repeat' stand there"},
    };
    EXPECT(mistakes);
}

#define D "define d width size=3\nconv c $width $size\nend\n"

static void wrong_uses(void **state)
{
    (void)state;
    static const mistake mistakes[] = {
        {D IN "use\n" END, "m:5:4: the line ends too early; expected 'use DEFINITION VALUE... name=NAME'"},
        {D IN "use e 3\n" END, "m:5:5: no definition above is called 'e'"},
        {"define block\nrelu\nend\n" IN "use blokc\n" END,
         "m:5:5: no definition above is called 'blokc'; nearest is 'block'"},
        {IN "use d\n" D END, "m:2:5: no definition above is called 'd'"},
        {D "use d 3\n" IN END, "m:4:1: 'use' before the input; the model begins with 'input image CxHxW'"},
        {D IN "d 3\n" END, "m:5:1: 'd' is a definition; expected 'use d width size=3'"},
        {D IN "use d\n" END, "m:5:6: 'width' is missing; expected 'use d width size=3'"},
        {D IN "use d 3 3 3\n" END, "m:5:11: unexpected word '3'; expected 'use d width size=3'"},
        {D IN "use d size=3 3\n" END, "m:5:14: '3' stands behind a key; expected 'use d width size=3'"},
        {D IN "use d widht=3\n" END, "m:5:7: unknown parameter 'widht' of 'd'; nearest is 'width'"},
        {D IN "use d 3 width=3\n" END, "m:5:9: 'width' is given twice"},
        {D IN "use d 3 name=a name=b\n" END, "m:5:16: 'name' is given twice"},
        {D IN "use d 3 size=\n" END, "m:5:14: the value of 'size' is empty"},
        {D IN "use d 3 from=relu\n" END, "m:5:14: use: no earlier layer is called 'relu'"},
        {D IN "use d 3 name=input\n" END, "m:5:14: the name 'input' is reserved"},
        {D IN "conv a 3 3\nuse d 3 name=a\n" END, "m:6:14: the name 'a' is taken by the conv of line 5"},
        {D IN "use d 3 name=a\nrelu name=a\n" END, "m:6:11: the name 'a' is taken by the use of line 5"},
        {D IN "use d 3 name=.\nuse d 3 name=.\n" END,
         "m:2:6: the name 'c' is taken by the conv of line 2 (in 'd', used on line 6)"},
        {"define d\nrelu name=input\nend\n" IN "use d\n" END,
         "m:2:11: the name 'input' is reserved (in 'd', used on line 5)"},
        {"define d\nuse d\nend\n" IN "use d\n" END, "m:2:5: 'd' uses itself (in 'd', used on line 5)"},
        {"define a\nuse b\nend\ndefine b\nuse a\nend\n" IN "use b\n" END,
         "m:2:5: 'b' is defined on line 4, below 'a'; a definition uses those above it (in 'a', used on line "
         "5) (in "
         "'b', used on line 8)"},
        {D IN "use d 3 name=a2345678901234567890123456789012345678901234567\n" END,
         "m:2:6: 'a2345678901234567890123456789012345678901234567.c' is no name: a letter or '_' first, then "
         "letters, "
         "digits, '_', '-' and single '.', at most 48 (in 'd', used on line 5)"},
    };
    EXPECT(mistakes);
}

/* Columns are those of the text, whatever the parameters' values are; the uses stand behind. */
static void places(void **state)
{
    (void)state;
    static const mistake mistakes[] = {
        {D IN "use d six name=a\n" END,
         "m:2:8: conv: CHANNELS is 'six'; expected a whole number from 1 to 16777216 "
         "(in 'd', used on line 5)"},
        {"define d w p\n  conv c $w $w pad=$p stride=0\nend\n" IN "use d 3 pad=1\n" END,
         "m:5:9: unknown parameter 'pad' of 'd'"},
        {"define d w p\n  conv c $w $w pad=$p stride=0\nend\n" IN "use d 3 1\n" END,
         "m:2:30: conv: stride: expected 1 to 1024, found '0' (in 'd', used on line 5)"},
        {"define d w p\n  conv c $w $w pad=$p stride=0\nend\n" IN "use d 3 9999\n" END,
         "m:2:20: conv: pad: expected 0 to 1024, found '9999' (in 'd', used on line 5)"},
        {"define d w\n  conv c $w 3 init=normal:$w bias=no\nend\n" IN "use d 3000\n" END,
         "m:2:27: the scale is '3000'; expected a number from 0 to 1000 (in 'd', used on line 5)"},
        {"define d w\nconv c $w\nend\n" IN "use d 3000\n" END,
         "m:2:10: KERNEL is missing; expected 'conv NAME CHANNELS KERNEL' (in 'd', used on line 5)"},
        {"define d w\nconv c $w 9\nend\ndefine e\nuse d 4 name=x\nend\n" IN
         "repeat 2 i\nuse e name=y$i\nend\n" END,
         "m:2: conv y0.x.c: expected a window of at most 8x8, found 9x9 (in 'd', used on line 5) (in 'e', "
         "used on "
         "line 9) (where $i is 0)"},
        {"define d w\nconv c 3 $wide\nend\n" IN "use d 3\n" END, "m:1:10: no line of 'd' has '$w'"},
        {"define d wide\nconv c $wide $wid\nend\n" IN "use d 3\n" END,
         "m:2:14: unknown parameter '$wid'; nearest is '$wide' (in 'd', used on line 5)"},
        {"define d wide\nconv c $wide 3$\nend\n" IN "use d 3\n" END,
         "m:2:15: '$' is followed by no name of a parameter (in 'd', used on line 5)"},
        {IN "conv c $x 3\n" END, "m:2:8: '$x' stands outside of definitions and counted repetitions"},
        {"define d\nrelu name=a\ntanh name=b from=a\nidentity from=a\nend\n" IN "use d name=u\n" END,
         "m:3:1: no layer reads 'u.b'; name it in an 'add' or a 'from=' (in 'd', used on line 7)"},
        /* what a definition knows: its own layers and its input */
        {"define d\nrelu\nadd first\nend\n" IN "relu name=first\nuse d\n" END,
         "m:3:5: add: no earlier layer is called 'first' in 'd' (in 'd', used on line 7)"},
        {"define d o\nrelu name=first\nadd $o\nend\n" IN "relu name=fist\nuse d first\n" END,
         "m:3:5: add: no earlier layer is called 'first'; nearest is 'fist' (in 'd', used on line 7)"},
    };
    EXPECT(mistakes);
}

static void wrong_repetitions(void **state)
{
    (void)state;
    static const mistake mistakes[] = {
        {IN "repeat\nend\n" END, "m:2:7: the line ends too early; expected 'repeat COUNT COUNTER=FIRST'"},
        {IN "repeat x\nend\n" END, "m:2:8: repeat: COUNT is 'x'; expected a whole number from 0 to 20000"},
        {IN "repeat 20001\nend\n" END,
         "m:2:8: repeat: COUNT is '20001'; expected a whole number from 0 to 20000"},
        {IN "repeat 2 3\nend\n" END,
         "m:2:10: '3' is no name of a counter: letters, digits and '_', no digit first"},
        {IN "repeat 2 i=x\nend\n" END,
         "m:2:12: the counter begins at 'x'; expected a whole number from 0 to 20000"},
        {IN "repeat 2 i j\nend\n" END, "m:2:12: unexpected word 'j'; expected 'repeat COUNT COUNTER=FIRST'"},
        {IN "repeat 2 i\nrepeat 2 i\nend\nend\n" END, "m:3:10: '$i' is '0' here already (where $i is 0)"},
        {IN "repeat 2 i\nconv c 3 1\nend\n" END,
         "m:3:6: the name 'c' is taken by the conv of line 3 (where $i is 1)"},
        {"define d w\n$w 2\nend\n" IN "use d repeat\n" END,
         "m:2:1: 'repeat' cannot come from a parameter (in 'd', used on line 5)"},
    };
    EXPECT(mistakes);
}

/* A kilobyte that asks for 10^9 layers, lines or levels is refused, after a moment. */
static void bombs(void **state)
{
    (void)state;
    fv_text text;
    fv_model *model = NULL;
    for (int empty = 0; empty < 2; empty++) {
        fv__text_init(&text, ctx);
        fv__text_add(&text, "define d0\n%s\nend\n",
                     empty ? "repeat 0\nrelu\nend\nrepeat 20000\nend" : "relu");
        for (int i = 1; i < 10; i++)
            fv__text_add(&text, "define d%d\nrepeat 10\nuse d%d name=.\nend\nend\n", i, i - 1);
        fv__text_add(&text, IN "use d9\n" END);
        assert_true(text.n < 1024);
        assert_int_equal(fv_model_from_text(ctx, text.data, "m", &model), FV_ERR_INPUT);
        assert_non_null(strstr(fv_message(ctx), empty ? "'d0' has no layer" : "more than 20000 layers"));
        fv__text_deinit(&text);
    }
    static const mistake mistakes[] = {
        {IN "repeat 20000\nrepeat 20000\nend\nend\n" END,
         "m:3:1: the definitions and repetitions become more than 200000 lines"},
        {IN "repeat 20000\nrepeat 20000\n#\n\n#\n#\nend\nend\n" END,
         "m:4:1: the definitions and repetitions become more than 200000 lines"},
    };
    EXPECT(mistakes);
    /* one within another, as uses and as repetitions */
    fv__text_init(&text, ctx);
    fv__text_add(&text, IN);
    for (int i = 0; i < 1000; i++)
        fv__text_add(&text, "repeat 1\n");
    assert_int_equal(fv_model_from_text(ctx, text.data, "m", &model), FV_ERR_INPUT);
    assert_string_equal(fv_message(ctx), "m:26:1: more than 24 repetitions inside one another");
    fv__text_deinit(&text);
    fv__text_init(&text, ctx);
    fv__text_add(&text, "define d0\nrelu\nend\n");
    for (int i = 1; i < 1000; i++)
        fv__text_add(&text, "define d%d\nuse d%d name=.\nend\n", i, i - 1);
    fv__text_add(&text, IN "use d999 name=.\n" END);
    assert_int_equal(fv_model_from_text(ctx, text.data, "m", &model), FV_ERR_INPUT);
    assert_non_null(
        strstr(fv_message(ctx), ":1: more than 24 uses and repetitions inside one another (in 'd976'"));
    fv__text_deinit(&text);
    /* values that grow from use to use */
    fv__text_init(&text, ctx);
    fv__text_add(&text, "define d0 x\nrelu name=$x\nend\n");
    for (int i = 1; i < 16; i++)
        fv__text_add(&text, "define d%d x\nuse d%d $x$x name=.\nend\n", i, i - 1);
    fv__text_add(&text, IN "use d15 x name=.\n" END);
    assert_int_equal(fv_model_from_text(ctx, text.data, "m", &model), FV_ERR_INPUT);
    assert_non_null(
        strstr(fv_message(ctx), "the line is longer than 8000 bytes with its parameters filled in"));
    fv__text_deinit(&text);
}

/* As many layers as there may be, of uses that have no names: no pass compares each with each. */
static void many_uses(void **state)
{
    (void)state;
    fv_model *const model =
        model_of("define d\nrelu\nend\ndefine e\nuse d\nend\n" IN "repeat 9998\nuse d\nuse e\nend\n" END);
    assert_int_equal(fv_model_describe(model).n_layers, 1 + 2 * 9998 + 3);
    assert_string_equal(fv_model_layer(model, 2 * 9998).name, "e9998.d.relu");
    fv_model_destroy(model);
}

/* The built-in networks that were written out before: names and values of their parameters are the same. */
static void resnet18(void **state)
{
    (void)state;
    fv_text text;
    fv__text_init(&text, ctx);
    fv__text_add(&text,
                 "input image 3x32x32\nconv conv1 64 3x3 pad=1 bias=no\nbatchnorm bn1\nrelu name=layer0.1\n");
    for (int block = 0; block < 8; block++) {
        const int stage = block / 2 + 1, b = block % 2, width = 32 << stage, halves = block > 0 && b == 0;
        char before[40];
        snprintf(before, sizeof before, "layer%d.%d", b ? stage : stage - 1, 1 - b);
        fv__text_add(&text,
                     "conv layer%d.%d.conv1 %d 3x3 stride=%d pad=1 bias=no\nbatchnorm layer%d.%d.bn1\nrelu\n",
                     stage, b, width, halves + 1, stage, b);
        fv__text_add(&text, "conv layer%d.%d.conv2 %d 3x3 pad=1 bias=no\nbatchnorm layer%d.%d.bn2\n", stage,
                     b, width, stage, b);
        if (halves)
            fv__text_add(&text,
                         "conv layer%d.0.downsample.0 %d 1x1 stride=2 bias=no from=%s\n"
                         "batchnorm layer%d.0.downsample.1\n",
                         stage, width, before, stage);
        if (halves)
            snprintf(before, sizeof before, "layer%d.0.bn2", stage);
        fv__text_add(&text, "add %s\nrelu name=layer%d.%d\n", before, stage, b);
    }
    fv__text_add(&text, "globalavgpool\nflatten\nlinear fc 10\nsoftmax\n");
    assert_false(text.failed);
    expect_same(fv_zoo_text("resnet18"), text.data);
    fv__text_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks),     cmocka_unit_test(layers_as_values),  cmocka_unit_test(repetitions),
        cmocka_unit_test(long_names), cmocka_unit_test(wrong_definitions), cmocka_unit_test(wrong_uses),
        cmocka_unit_test(places),     cmocka_unit_test(wrong_repetitions), cmocka_unit_test(bombs),
        cmocka_unit_test(many_uses),  cmocka_unit_test(resnet18),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
