/* An abbreviated dctwire frame with libjpeg: a picture of the bundle's size in, one frame out.
 *
 *     cc -O2 -o client client.c -ljpeg
 *     ./client tables.jpg "$(sha256sum tables.jpg | cut -c1-16)" < picture.ppm > frame.jpg
 *
 * tables.jpg is the bundle's tables-only stream, as `client.py tables` writes it. The picture is a binary PPM (P6) with
 * 255 as its largest value; netpbm, ImageMagick and ffmpeg write such files. docs/your-own-client.md explains the facts.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

enum { ID_BYTES = 8, APP10 = JPEG_APP0 + 10, LARGEST_SIDE = 4096, DESTINATIONS = 2 };

static void fail(const char *what)
{
    fprintf(stderr, "client: %s\n", what);
    exit(EXIT_FAILURE);
}

/* The 16 hexadecimal digits of a tables id as bytes. */
static void parse_id(const char *text, JOCTET id[ID_BYTES])
{
    if (strlen(text) != 2 * ID_BYTES || strspn(text, "0123456789abcdef") != 2 * ID_BYTES)
        fail("a tables id is 16 hexadecimal digits in lower case: the start of the SHA-256 of tables.jpg");
    for (int index = 0; index < ID_BYTES; index++) {
        unsigned int byte;
        if (sscanf(text + 2 * index, "%2x", &byte) != 1)
            fail("the tables id cannot be read");
        id[index] = (JOCTET)byte;
    }
}

/* Read a tables-only stream; its tables stay in `from`, the last byte of its APP10 segment, the layout, is returned. */
static int read_tables(const char *path, struct jpeg_decompress_struct *from)
{
    static const JOCTET begins[] = {0xff, 0xd8, 0xff, JPEG_APP0 + 10, 0, 5, 'D', 'W'};
    JOCTET head[sizeof begins + 1];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail("the tables cannot be opened");
    if (fread(head, sizeof head, 1, file) != 1 || memcmp(head, begins, sizeof begins) != 0 || fseek(file, 0, SEEK_SET))
        fail("this is no tables-only stream of dctwire");
    jpeg_stdio_src(from, file);
    if (jpeg_read_header(from, FALSE) != JPEG_HEADER_TABLES_ONLY)
        fail("this is a picture, not a stream of tables");
    if (fclose(file) != 0)
        fail("the tables cannot be read");
    return head[sizeof begins];
}

/* Take over every table, and mark it as known to the receiver: it is not written into the frame. */
static void use_tables(struct jpeg_compress_struct *to, const struct jpeg_decompress_struct *from)
{
    for (int n = 0; n < NUM_QUANT_TBLS; n++) {
        if (from->quant_tbl_ptrs[n] == NULL)
            continue;
        if (to->quant_tbl_ptrs[n] == NULL)
            to->quant_tbl_ptrs[n] = jpeg_alloc_quant_table((j_common_ptr)to);
        *to->quant_tbl_ptrs[n] = *from->quant_tbl_ptrs[n];
    }
    for (int n = 0; n < DESTINATIONS; n++) {
        if (from->dc_huff_tbl_ptrs[n] == NULL || from->ac_huff_tbl_ptrs[n] == NULL)
            fail("a Huffman table is missing");
        *to->dc_huff_tbl_ptrs[n] = *from->dc_huff_tbl_ptrs[n];
        *to->ac_huff_tbl_ptrs[n] = *from->ac_huff_tbl_ptrs[n];
    }
    jpeg_suppress_tables(to, TRUE);
}

/* A number of a PPM's head; comments run from # to the end of their line. */
static unsigned int read_number(unsigned int largest)
{
    unsigned int number;
    int byte = getchar();
    while (byte == '#' || isspace(byte)) {
        if (byte == '#')
            while (byte != '\n' && byte != EOF)
                byte = getchar();
        byte = getchar();
    }
    if (ungetc(byte, stdin) == EOF || scanf("%5u", &number) != 1 || number == 0 || number > largest)
        fail("the picture is no PPM (P6) of at most 4096 x 4096 pixels with 255 as its largest value");
    return number;
}

int main(int count, char **arguments)
{
    if (count != 3)
        fail("usage: client TABLES.jpg TABLES_ID < picture.ppm > frame.jpg");
    JOCTET app10[2 + ID_BYTES] = {'D', 'W'};
    parse_id(arguments[2], app10 + 2);

    struct jpeg_error_mgr errors; /* libjpeg's own: it prints what is wrong and ends the program with a failure */
    struct jpeg_decompress_struct tables = {.err = jpeg_std_error(&errors)};
    jpeg_create_decompress(&tables);
    int layout = read_tables(arguments[1], &tables);

    if (getchar() != 'P' || getchar() != '6')
        fail("the picture is no PPM (P6)");
    struct jpeg_compress_struct frame = {.err = &errors};
    jpeg_create_compress(&frame);
    jpeg_stdio_dest(&frame, stdout);
    frame.image_width = read_number(LARGEST_SIDE);
    frame.image_height = read_number(LARGEST_SIDE);
    if (read_number(255) != 255 || getchar() == EOF) /* one white space ends the head */
        fail("the picture's largest value must be 255");
    frame.input_components = 3;
    frame.in_color_space = JCS_RGB;

    jpeg_set_defaults(&frame); /* YCbCr, 4:2:0, baseline; Y uses Huffman tables 0, Cb and Cr use tables 1 */
    frame.dct_method = JDCT_ISLOW;
    frame.optimize_coding = FALSE; /* the codes are the bundle's, never the picture's own */
    frame.write_JFIF_header = FALSE;
    if ((layout & 15) != 3) /* 3 means 4:2:0, libjpeg's default */
        fail("the tables are not for 4:2:0");
    frame.comp_info[0].quant_tbl_no = 0;
    frame.comp_info[1].quant_tbl_no = layout >> 4 & 3;
    frame.comp_info[2].quant_tbl_no = layout >> 6 & 3;
    use_tables(&frame, &tables);

    jpeg_start_compress(&frame, FALSE); /* FALSE: tables that were marked stay out */
    jpeg_write_marker(&frame, APP10, app10, sizeof app10);
    JSAMPROW row = malloc(3 * (size_t)frame.image_width);
    if (row == NULL)
        fail("no memory for a row of the picture");
    while (frame.next_scanline < frame.image_height) {
        if (fread(row, 3, frame.image_width, stdin) != frame.image_width)
            fail("the picture ends too soon");
        if (jpeg_write_scanlines(&frame, &row, 1) != 1)
            fail("libjpeg took no row");
    }
    jpeg_finish_compress(&frame);
    free(row);
    jpeg_destroy_compress(&frame);
    jpeg_destroy_decompress(&tables);
    if (fflush(stdout) != 0 || ferror(stdout))
        fail("the frame cannot be written");
    return EXIT_SUCCESS;
}
