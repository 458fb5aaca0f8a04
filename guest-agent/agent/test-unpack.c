/* Frames as the program lz4 writes them (`lz4 -12 -BD --content-size --no-frame-crc`), and broken
 * ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/base/descriptor.h"
#include "core/base/encode.h"
#include "guest-agent/agent/unpack.h"

/* What is packed: 40 times "a program ", three times the alphabet with the digits, 64 counting
 * bytes, 300 zeros. */
#define SIZE 872
static const char FRAME[] =
    "04224d1868406803000000000000667d000000af612070726f6772616d200a00ff75ff1462636465666768696a6b"
    "6c6d6e6f707172737475767778797a30313233343536373839240035f621000102030405060708090a0b0c0d0e0f"
    "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3a007f3a3b3c3d3e3f000100ff14"
    "50000000000000000000";
#define FRAME_LEN (sizeof FRAME / 2)

static void frame(uint8_t out[FRAME_LEN])
{
    assert_int_equal(cvm_hex_decode(FRAME, out, FRAME_LEN, NULL), 0);
}

static void expected(uint8_t out[SIZE])
{
    static const char ALPHABET[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    memset(out, 0, SIZE);
    for (size_t i = 0; i < 400; i++)
        out[i] = (uint8_t) "a program "[i % 10];
    for (size_t i = 0; i < 108; i++)
        out[400 + i] = (uint8_t)ALPHABET[i % 36];
    for (size_t i = 0; i < 64; i++)
        out[508 + i] = (uint8_t)i;
}

static void test_frame(void **state)
{
    (void)state;
    uint8_t packed[FRAME_LEN], want[SIZE], got[SIZE];
    frame(packed);
    expected(want);
    assert_int_equal(cvm_unpacked_size(CVM_BYTES(packed, FRAME_LEN)), SIZE);
    assert_int_equal(cvm_unpack(CVM_BYTES(packed, FRAME_LEN), got, SIZE, NULL), 0);
    assert_memory_equal(got, want, SIZE);
}

static void refused(const uint8_t *data, size_t len, uint64_t size, const char *what)
{
    uint8_t got[SIZE + 8];
    struct cvm_error err = {0};
    if (cvm_unpack(CVM_BYTES(data, len), got, size, &err) == 0)
        fail_msg("%s is unpacked", what);
    assert_int_equal(err.code, CVM_E_INTERNAL);
}

/* Cut anywhere, longer, of another size, of another kind. */
static void test_broken(void **state)
{
    (void)state;
    uint8_t packed[FRAME_LEN + 1] = {0}, changed[FRAME_LEN + 1];
    frame(packed);
    for (size_t len = 0; len < FRAME_LEN; len++)
        refused(packed, len, SIZE, "a cut frame");
    refused(packed, FRAME_LEN + 1, SIZE, "a longer frame");
    refused(packed, FRAME_LEN, SIZE - 1, "a smaller size than the head's");
    static const struct {
        size_t at;
        uint8_t value;
        const char *what;
    } CASES[] = {
        {0, 5, "another magic"},
        {4, 0x60, "a frame without its size"},
        {4, 0x6c, "a checksum of the content"},
        {4, 0x78, "checksums of blocks"},
        {4, 0x69, "a dictionary"},
        {4, 0xa8, "another version"},
        {6, 0x69, "a size above what comes"},
        {6, 0x67, "a size below what comes"},
        {9, 1, "a size of 16 MiB more"},
        {13, 1, "a size without end"},
        {15, 0x7c, "a shorter block"},
        {15, 0x7e, "a longer block"},
        {18, 0x80, "a block that is said to be stored"},
        {30, 0, "a match at no distance"},
        {30, 11, "a match from before the beginning"},
        {19, 0xff, "more literals than there are"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        memcpy(changed, packed, sizeof changed);
        assert_int_not_equal(changed[CASES[i].at], CASES[i].value);
        changed[CASES[i].at] = CASES[i].value;
        refused(changed, FRAME_LEN, SIZE, CASES[i].what);
    }
}

/* A block that is stored as it is, and blocks that use what came before them. */
static void test_blocks(void **state)
{
    (void)state;
    static const uint8_t STORED[] = {4,   0x22, 0x4d, 0x18, 0x48, 0x40, 14, 0,    0,   0,    0,
                                     0,   0,    0,    0,    5,    0,    0,  0x80, 'a', 'b',  'c',
                                     'd', 'e',  9,    0,    0,    0,    0,  5,    0,   0x50, '1',
                                     '2', '3',  '4',  '5',  0,    0,    0,  0};
    uint8_t got[14];
    assert_int_equal(cvm_unpacked_size(CVM_BYTES(STORED, sizeof STORED)), 14);
    assert_int_equal(cvm_unpack(CVM_BYTES(STORED, sizeof STORED), got, 14, NULL), 0);
    assert_memory_equal(got, "abcdeabcd12345", 14);
}

static int file_of(const void *data, size_t len)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(cvm_fd_write(fd, data, len, NULL), 0);
    return fd;
}

static void test_program(void **state)
{
    (void)state;
    uint8_t packed[FRAME_LEN], want[SIZE], got[SIZE];
    struct stat st;
    frame(packed);
    expected(want);
    int fd = file_of(packed, FRAME_LEN);
    assert_int_equal(cvm_unpack_program(&fd, NULL), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, SIZE);
    assert_int_equal(pread(fd, got, SIZE, 0), SIZE);
    assert_memory_equal(got, want, SIZE);
    assert_int_equal(fcntl(fd, F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK),
                     F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
    assert_int_equal(write(fd, "x", 1), -1);
    int before = fd;
    assert_int_equal(cvm_unpack_program(&fd, NULL), 0); /* a second time: nothing to do */
    assert_int_equal(fd, before);
    close(fd);
    packed[40] ^= 1;
    packed[15]--;
    fd = before = file_of(packed, FRAME_LEN);
    assert_int_equal(cvm_unpack_program(&fd, NULL), -1);
    assert_int_equal(fd, before);
    close(fd);
    fd = before = file_of("\177ELF and more than sixteen bytes", 32);
    assert_int_equal(cvm_unpack_program(&fd, NULL), 0);
    assert_int_equal(fd, before);
    close(fd);
}

/* A frame with one stored block around a whole executable: what comes out runs. */
static void test_executes(void **state)
{
    (void)state;
    CVM_AUTO_BUF struct cvm_buf packed = {0};
    CVM_AUTO_CLOSE int program = open("/bin/true", O_RDONLY | O_CLOEXEC);
    struct stat st;
    assert_int_equal(fstat(program, &st), 0);
    uint32_t size = (uint32_t)st.st_size, stored = size | 0x80000000u;
    uint8_t *p = cvm_buf_extend(&packed, 15 + 4 + size + 4);
    memcpy(p, "\x04\x22\x4d\x18\x48\x70", 6);
    for (int i = 0; i < 4; i++) {
        p[6 + i] = (uint8_t)(size >> 8 * i);
        p[15 + i] = (uint8_t)(stored >> 8 * i);
    }
    assert_int_equal(pread(program, p + 19, size, 0), size);
    int fd = file_of(packed.data, packed.len);
    assert_int_equal(cvm_unpack_program(&fd, NULL), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = {(char *)"true", NULL}, *envp[] = {NULL};
        fexecve(fd, argv, envp);
        _exit(99);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame),    cmocka_unit_test(test_broken),
        cmocka_unit_test(test_blocks),   cmocka_unit_test(test_program),
        cmocka_unit_test(test_executes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
