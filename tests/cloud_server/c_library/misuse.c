/* Every wrong use of the generated library: it must say so by a code, and leave memory alone. */
#include <stdio.h>
#include <stdlib.h>

#include "dctwire_camera.h"

#define EXPECT(wanted, call) \
    do { \
        int found = (int)(call); \
        if (found != (int)(wanted)) { \
            fprintf(stderr, "line %d: %d, not %s\n", __LINE__, found, #wanted); \
            failures++; \
        } \
    } while (0)

enum { WIDTH = DCTWIRE_CAMERA_WIDTH, CALLS = DCTWIRE_CAMERA_HEIGHT / DCTWIRE_CAMERA_ROWS, STRIDE = 3 * WIDTH };

static int failures;
static uint8_t pixels[STRIDE * DCTWIRE_CAMERA_ROWS];

static int refuse(void *user, const uint8_t *bytes, size_t count)
{
    (void)bytes, (void)count;
    return --*(int *)user < 0;
}

static dctwire_camera_result give_rows(dctwire_camera_encoder *encoder)
{
    return dctwire_camera_rows(encoder, DCTWIRE_CAMERA_RGB888, pixels, STRIDE, DCTWIRE_CAMERA_ROWS);
}

/* Encode into a heap buffer of exactly `size` bytes, after whose first refusal all that follows is refused. */
static dctwire_camera_result encode_into(size_t size, size_t *count)
{
    dctwire_camera_buffer buffer = {malloc(size), size, 0};
    dctwire_camera_encoder encoder;
    dctwire_camera_result result =
        dctwire_camera_begin(&encoder, DCTWIRE_CAMERA_FRAME, dctwire_camera_into_buffer, &buffer);
    for (int call = 0; call < CALLS; call++) {
        dctwire_camera_result next = give_rows(&encoder);
        if (result != DCTWIRE_CAMERA_OK)
            EXPECT(result, next);
        result = next;
    }
    result = dctwire_camera_end(&encoder, count);
    if (buffer.used > size)
        failures++;
    free(buffer.bytes);
    return result;
}

static void misuse_begin(dctwire_camera_encoder *encoder, int *most)
{
    static const dctwire_camera_encoder zeros;
    *encoder = zeros;
    EXPECT(DCTWIRE_CAMERA_ERROR_ORDER, give_rows(encoder));
    EXPECT(DCTWIRE_CAMERA_ERROR_ORDER, dctwire_camera_end(encoder, NULL));
    EXPECT(DCTWIRE_CAMERA_ERROR_ARGUMENT, dctwire_camera_begin(NULL, DCTWIRE_CAMERA_FRAME, refuse, most));
    EXPECT(DCTWIRE_CAMERA_ERROR_ARGUMENT, dctwire_camera_begin(encoder, DCTWIRE_CAMERA_FRAME, NULL, most));
    EXPECT(DCTWIRE_CAMERA_ERROR_ARGUMENT, dctwire_camera_begin(encoder, (dctwire_camera_stream)2, refuse, most));
    EXPECT(DCTWIRE_CAMERA_OK, dctwire_camera_begin(encoder, DCTWIRE_CAMERA_FRAME, refuse, most));
}

static void misuse_rows(dctwire_camera_encoder *encoder)
{
    EXPECT(DCTWIRE_CAMERA_ERROR_ARGUMENT, dctwire_camera_rows(NULL, DCTWIRE_CAMERA_GREY, pixels, WIDTH, 16));
    EXPECT(DCTWIRE_CAMERA_ERROR_ARGUMENT, dctwire_camera_rows(encoder, DCTWIRE_CAMERA_GREY, NULL, WIDTH, 16));
    EXPECT(DCTWIRE_CAMERA_ERROR_ARGUMENT, dctwire_camera_rows(encoder, (dctwire_camera_format)5, pixels, STRIDE, 16));
    EXPECT(DCTWIRE_CAMERA_ERROR_ROWS, dctwire_camera_rows(encoder, DCTWIRE_CAMERA_GREY, pixels, WIDTH - 1, 16));
    EXPECT(DCTWIRE_CAMERA_ERROR_ROWS, dctwire_camera_rows(encoder, DCTWIRE_CAMERA_RGB888, pixels, STRIDE - 1, 16));
    EXPECT(DCTWIRE_CAMERA_ERROR_ROWS, dctwire_camera_rows(encoder, DCTWIRE_CAMERA_YUYV, pixels, 2 * WIDTH - 1, 16));
    EXPECT(DCTWIRE_CAMERA_ERROR_ROWS, dctwire_camera_rows(encoder, DCTWIRE_CAMERA_RGB888, pixels, STRIDE, 15));
    EXPECT(DCTWIRE_CAMERA_ERROR_ROWS, dctwire_camera_rows(encoder, DCTWIRE_CAMERA_RGB888, pixels, STRIDE, 17));
}

static void misuse_planes(dctwire_camera_encoder *encoder)
{
    const dctwire_camera_yuv420 good = {pixels, pixels, pixels, WIDTH, WIDTH / 2, 1, 16};
    dctwire_camera_yuv420 bad = good;
    EXPECT(DCTWIRE_CAMERA_ERROR_ARGUMENT, dctwire_camera_rows_yuv420(NULL, &good));
    EXPECT(DCTWIRE_CAMERA_ERROR_ARGUMENT, dctwire_camera_rows_yuv420(encoder, NULL));
    bad.cr = NULL;
    EXPECT(DCTWIRE_CAMERA_ERROR_ARGUMENT, dctwire_camera_rows_yuv420(encoder, &bad));
    bad = good;
    bad.chroma_step = 3;
    EXPECT(DCTWIRE_CAMERA_ERROR_ARGUMENT, dctwire_camera_rows_yuv420(encoder, &bad));
    bad.chroma_step = 2;
    EXPECT(DCTWIRE_CAMERA_ERROR_ROWS, dctwire_camera_rows_yuv420(encoder, &bad));
    bad = good;
    bad.rows = 8;
    EXPECT(DCTWIRE_CAMERA_ERROR_ROWS, dctwire_camera_rows_yuv420(encoder, &bad));
    bad = good;
    bad.y_stride = WIDTH - 1;
    EXPECT(DCTWIRE_CAMERA_ERROR_ROWS, dctwire_camera_rows_yuv420(encoder, &bad));
}

static void misuse_end(dctwire_camera_encoder *encoder)
{
    EXPECT(DCTWIRE_CAMERA_ERROR_ARGUMENT, dctwire_camera_end(NULL, NULL));
    EXPECT(DCTWIRE_CAMERA_ERROR_ORDER, dctwire_camera_end(encoder, NULL)); /* no rows yet, and more may come */
    for (int call = 0; call < CALLS; call++)
        EXPECT(DCTWIRE_CAMERA_OK, give_rows(encoder));
    EXPECT(DCTWIRE_CAMERA_ERROR_ORDER, give_rows(encoder));
    EXPECT(DCTWIRE_CAMERA_OK, dctwire_camera_end(encoder, NULL));
    EXPECT(DCTWIRE_CAMERA_ERROR_ORDER, dctwire_camera_end(encoder, NULL));
    EXPECT(DCTWIRE_CAMERA_ERROR_ORDER, give_rows(encoder));
}

int main(void)
{
    dctwire_camera_encoder encoder;
    size_t count = 0, again = 0;
    int most = 1 << 30;
    for (size_t index = 0; index < sizeof pixels; index++)
        pixels[index] = (uint8_t)(index * index >> 3);
    misuse_begin(&encoder, &most);
    misuse_rows(&encoder);
    misuse_planes(&encoder);
    misuse_end(&encoder);

    EXPECT(DCTWIRE_CAMERA_OK, encode_into(1 << 20, &count));
    EXPECT(DCTWIRE_CAMERA_OK, encode_into(count, &again));
    EXPECT(count, again);
    for (size_t size = 1; size < count; size += size < 200 ? 1 : 61)
        EXPECT(DCTWIRE_CAMERA_ERROR_SINK, encode_into(size, &again));
    EXPECT(DCTWIRE_CAMERA_ERROR_SINK, encode_into(count - 1, &again));
    EXPECT(-1, dctwire_camera_into_buffer(NULL, pixels, 1));
    most = 0; /* a sink that refuses at once; then a new beginning makes all good */
    EXPECT(DCTWIRE_CAMERA_OK, dctwire_camera_begin(&encoder, DCTWIRE_CAMERA_FRAME, refuse, &most));
    EXPECT(DCTWIRE_CAMERA_ERROR_SINK, give_rows(&encoder));
    EXPECT(DCTWIRE_CAMERA_ERROR_SINK, give_rows(&encoder));
    EXPECT(DCTWIRE_CAMERA_ERROR_SINK, dctwire_camera_end(&encoder, NULL));
    most = 1 << 30;
    EXPECT(DCTWIRE_CAMERA_OK, dctwire_camera_begin(&encoder, DCTWIRE_CAMERA_FRAME, refuse, &most));
    EXPECT(DCTWIRE_CAMERA_OK, give_rows(&encoder));
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
