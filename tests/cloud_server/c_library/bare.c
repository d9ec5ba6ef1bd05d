/* camera.c without an operating system's library: RGB888 pictures in, frames out, on an ARM processor that qemu plays.
 *
 * Compiled as for a microcontroller; the three system calls are what the emulator offers in place of its peripherals. */
#include "dctwire_camera.h"

enum { ROWS_BYTES = 3 * DCTWIRE_CAMERA_WIDTH * DCTWIRE_CAMERA_ROWS };
enum { EXIT = 1, READ = 3, WRITE = 4 };

static uint8_t rows[ROWS_BYTES];
static uint8_t frame[8 * DCTWIRE_CAMERA_WIDTH * DCTWIRE_CAMERA_HEIGHT + 1024];

static int call(int number, int first, void *second, size_t third)
{
    register int r7 __asm__("r7") = number;
    register int r0 __asm__("r0") = first;
    register void *r1 __asm__("r1") = second;
    register size_t r2 __asm__("r2") = third;
    __asm__ volatile("svc 0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2) : "memory");
    return r0;
}

static void leave(int status)
{
    for (;;)
        call(EXIT, status, NULL, 0);
}

/* Read or write all bytes; at the end of the input leave. */
static void move(int number, int file, uint8_t *bytes, size_t count)
{
    while (count > 0) {
        int moved = call(number, file, bytes, count);
        if (moved <= 0)
            leave(moved < 0);
        bytes += moved;
        count -= (size_t)moved;
    }
}

static void require(int is_so)
{
    if (!is_so)
        leave(2);
}

/* What compilers call for structures; every toolchain for microcontrollers has them. */
void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
    for (size_t index = 0; index < count; index++)
        ((uint8_t *)to)[index] = ((const uint8_t *)from)[index];
    return to;
}

void *memset(void *to, int value, size_t count);
void *memset(void *to, int value, size_t count)
{
    for (size_t index = 0; index < count; index++)
        ((uint8_t *)to)[index] = (uint8_t)value;
    return to;
}

void _start(void);
void _start(void)
{
    static uint8_t asked[2], length[4];
    for (;;) {
        dctwire_camera_buffer buffer = {frame, sizeof frame, 0};
        dctwire_camera_encoder encoder;
        move(READ, 0, asked, sizeof asked); /* format and stream, as camera.c reads them: always RGB888 and a frame */
        require(
            dctwire_camera_begin(&encoder, DCTWIRE_CAMERA_FRAME, dctwire_camera_into_buffer, &buffer) == DCTWIRE_CAMERA_OK);
        for (int row = 0; row < DCTWIRE_CAMERA_HEIGHT; row += DCTWIRE_CAMERA_ROWS) {
            move(READ, 0, rows, sizeof rows);
            require(
                dctwire_camera_rows(&encoder, DCTWIRE_CAMERA_RGB888, rows, 3 * DCTWIRE_CAMERA_WIDTH, DCTWIRE_CAMERA_ROWS)
                == DCTWIRE_CAMERA_OK);
        }
        require(dctwire_camera_end(&encoder, NULL) == DCTWIRE_CAMERA_OK);
        for (int byte = 0; byte < 4; byte++)
            length[byte] = (uint8_t)(buffer.used >> 8 * byte);
        move(WRITE, 1, length, sizeof length);
        move(WRITE, 1, frame, buffer.used);
    }
}
