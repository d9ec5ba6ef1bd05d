/* A camera without an operating system: 16 rows of pixels at a time in, one dctwire frame out.
 *
 *     dctwire bundle to-c trainer/zoo/cifar100-150 --out generated
 *     cc -std=c99 -Os -I generated -o generated/camera examples/microcontroller.c generated/dctwire_cifar100.c
 *     generated/camera < picture.rgb > frame.jpg
 *
 * The two functions that begin with `board_` are the board's: here they read raw RGB from standard input and write to
 * standard output, so that the example runs anywhere. docs/sensor.md says what else a camera needs.
 */
#include <stdio.h>

#include "dctwire_cifar100.h"

enum { ROW_BYTES = 3 * DCTWIRE_CIFAR100_WIDTH, FRAME_BYTES_MAX = 2048 };

/* Wait for the next `count` rows of the picture. Returns 0, or anything else if the camera gives none. */
static int board_read_rows(uint8_t *rows, size_t count)
{
    return fread(rows, ROW_BYTES, count, stdin) == count ? 0 : -1;
}

/* Send a frame: the body of POST /v1/frames, whose Content-Length is known by now. Returns 0 when it is taken. */
static int board_send(const uint8_t *frame, size_t bytes)
{
    return fwrite(frame, 1, bytes, stdout) == bytes ? 0 : -1;
}

/* Take one picture. Returns 0 when its frame is sent. A frame that is too large for the buffer is dropped: the next
 * picture may be a simpler one. */
static int take_picture(void)
{
    static uint8_t rows[ROW_BYTES * DCTWIRE_CIFAR100_ROWS], frame[FRAME_BYTES_MAX];
    dctwire_cifar100_buffer buffer = {frame, sizeof frame, 0};
    dctwire_cifar100_encoder encoder;
    dctwire_cifar100_result result =
        dctwire_cifar100_begin(&encoder, DCTWIRE_CIFAR100_FRAME, dctwire_cifar100_into_buffer, &buffer);
    for (int row = 0; row < DCTWIRE_CIFAR100_HEIGHT && result == DCTWIRE_CIFAR100_OK; row += DCTWIRE_CIFAR100_ROWS) {
        if (board_read_rows(rows, DCTWIRE_CIFAR100_ROWS) != 0)
            return -1;
        result = dctwire_cifar100_rows(&encoder, DCTWIRE_CIFAR100_RGB888, rows, ROW_BYTES, DCTWIRE_CIFAR100_ROWS);
    }
    if (result == DCTWIRE_CIFAR100_OK)
        result = dctwire_cifar100_end(&encoder, NULL);
    return result == DCTWIRE_CIFAR100_OK ? board_send(buffer.bytes, buffer.used) : -1;
}

int main(void)
{
    return take_picture() == 0 ? 0 : 1;
}
