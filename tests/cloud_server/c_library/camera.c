/* Reads pictures from stdin and writes the streams that the generated library makes of them to stdout.
 *
 * A picture: a byte for the format (as dctwire_camera_format; 5 is I420, 6 is NV12), one for the stream, its rows.
 * A stream: its length as 4 bytes, the lowest first, then its bytes. */
#include <stdio.h>
#include <stdlib.h>

#include "dctwire_camera.h"

enum { WIDTH = DCTWIRE_CAMERA_WIDTH, HEIGHT = DCTWIRE_CAMERA_HEIGHT, ROWS = DCTWIRE_CAMERA_ROWS, I420 = 5, NV12 = 6 };

static const size_t pixel_bytes[] = {3, 2, 2, 2, 1};

static void require(int is_so, const char *what)
{
    if (!is_so) {
        fprintf(stderr, "camera: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

static uint8_t *read_bytes(size_t count)
{
    uint8_t *bytes = malloc(count);
    require(bytes != NULL && fread(bytes, 1, count, stdin) == count, "the picture is cut short");
    return bytes;
}

static void encode_planes(dctwire_camera_encoder *encoder, int is_nv12)
{
    uint8_t *bytes = read_bytes((size_t)WIDTH * HEIGHT * 3 / 2);
    const uint8_t *chroma = bytes + WIDTH * HEIGHT;
    for (size_t row = 0; row < HEIGHT; row += ROWS) {
        dctwire_camera_yuv420 rows = {bytes + row * WIDTH, NULL, NULL, WIDTH, WIDTH / 2, 1, ROWS};
        rows.cb = chroma + row / 2 * (WIDTH / 2);
        rows.cr = rows.cb + WIDTH * HEIGHT / 4;
        if (is_nv12) {
            rows.cb = chroma + row / 2 * WIDTH;
            rows.cr = rows.cb + 1;
            rows.chroma_stride = WIDTH;
            rows.chroma_step = 2;
        }
        require(dctwire_camera_rows_yuv420(encoder, &rows) == DCTWIRE_CAMERA_OK, "planes are refused");
    }
    free(bytes);
}

static void encode_rows(dctwire_camera_encoder *encoder, dctwire_camera_format format)
{
    size_t stride = pixel_bytes[format] * WIDTH;
    for (size_t row = 0; row < HEIGHT; row += ROWS) {
        uint8_t *bytes = read_bytes(stride * ROWS); /* no byte more: a sanitizer sees what is read beyond */
        require(dctwire_camera_rows(encoder, format, bytes, stride, ROWS) == DCTWIRE_CAMERA_OK, "rows are refused");
        free(bytes);
    }
}

int main(void)
{
    static uint8_t bytes[8 * WIDTH * HEIGHT + 1024];
    for (int format = getchar(); format != EOF; format = getchar()) {
        dctwire_camera_buffer buffer = {bytes, sizeof bytes, 0};
        dctwire_camera_encoder encoder;
        size_t count = 0;
        dctwire_camera_stream stream = (dctwire_camera_stream)getchar();
        require(
            dctwire_camera_begin(&encoder, stream, dctwire_camera_into_buffer, &buffer) == DCTWIRE_CAMERA_OK, "no begin");
        if (format == I420 || format == NV12)
            encode_planes(&encoder, format == NV12);
        else
            encode_rows(&encoder, (dctwire_camera_format)format);
        require(dctwire_camera_end(&encoder, &count) == DCTWIRE_CAMERA_OK && count == buffer.used, "no end");
        for (int shift = 0; shift < 32; shift += 8)
            putchar((int)(count >> shift & 0xFF));
        fwrite(bytes, 1, count, stdout);
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}
