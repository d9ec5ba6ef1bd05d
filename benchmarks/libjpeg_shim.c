/* libjpeg's fastest way from abbreviated streams (T.81 B.5) to coefficients: one object, whose tables were read
 * once, reused for every frame. What the codec's benchmarks compare with, in C and through ctypes. */

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <jpeglib.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else /* valgrind is not here, so that nothing runs under it */
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS
#endif

struct reader {
    struct jpeg_decompress_struct object;
    struct jpeg_error_mgr errors;
    jmp_buf failed;
};

static void fail(j_common_ptr object) { longjmp(((struct reader *)object)->failed, 1); }

static void stay_silent(j_common_ptr object) { (void)object; }

void shim_free(struct reader *reader) {
    jpeg_destroy_decompress(&reader->object);
    free(reader);
}

/* A reader that knows the tables of a tables-only stream (none where `length` is 0), or NULL. */
struct reader *shim_new(const uint8_t *tables, size_t length) {
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader) return NULL;
    reader->object.err = jpeg_std_error(&reader->errors);
    reader->errors.error_exit = fail;
    reader->errors.output_message = stay_silent;
    if (setjmp(reader->failed)) {
        shim_free(reader);
        return NULL;
    }
    jpeg_create_decompress(&reader->object);
    if (length) {
        jpeg_mem_src(&reader->object, tables, length);
        if (jpeg_read_header(&reader->object, FALSE) != JPEG_HEADER_TABLES_ONLY) fail((j_common_ptr)reader);
    }
    return reader;
}

/* Decode one frame. Returns the number of warnings, or -1. */
int shim_decode(struct reader *reader, const uint8_t *frame, size_t length) {
    struct jpeg_decompress_struct *object = &reader->object;
    if (setjmp(reader->failed)) {
        jpeg_abort_decompress(object);
        return -1;
    }
    jpeg_mem_src(object, frame, length);
    jpeg_read_header(object, TRUE);
    jpeg_read_coefficients(object);
    int warnings = (int)object->err->num_warnings;
    jpeg_abort_decompress(object);
    return warnings;
}

/* Nanoseconds of processor time to decode all frames `repeats` times, or -1. */
int64_t shim_time(struct reader *reader, const uint8_t *const *frames, const size_t *lengths, int count, int repeats) {
    struct timespec before, after;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    for (int repeat = 0; repeat < repeats; repeat++)
        for (int index = 0; index < count; index++)
            if (shim_decode(reader, frames[index], lengths[index]) != 0) return -1;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    return (after.tv_sec - before.tv_sec) * INT64_C(1000000000) + (after.tv_nsec - before.tv_nsec);
}

/* Under callgrind: forget the instructions counted so far, or write them to the next profile. */
void shim_forget_count(void) { CALLGRIND_ZERO_STATS; }

void shim_write_count(void) { CALLGRIND_DUMP_STATS; }

const char *shim_version(void) {
#ifdef LIBJPEG_TURBO_VERSION
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
    return "libjpeg-turbo " TEXT(LIBJPEG_TURBO_VERSION);
#else
    return "libjpeg";
#endif
}
