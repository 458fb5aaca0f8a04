/*
 * W16: the agent runs four other programs, two of them by sudo, and a shell. Here the three
 * programs of an isolate are looked at as files: none asks for a loader, so none can be given
 * another library, and none holds what starting by a shell or by a search of PATH needs: a program
 * that calls system(), popen() or execvp() is linked with these words. Would succeed if one of them
 * could be told to start anything but the two programs that the agent holds by descriptor.
 */
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "test/attack/attack.h"

static void look_at(const char *name)
{
    static const char *const words[] = {"/bin/sh", "sudo", "/bin:/usr/bin"};
    CVM_AUTO_FREE char *path = cvm_printf("%s/real-image/%s", CVM_BINARY_DIR, name);
    CVM_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    const uint8_t *all = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_ptr_not_equal(all, MAP_FAILED);
    const Elf64_Ehdr *head = (const void *)all;
    const Elf64_Phdr *parts = (const void *)(all + head->e_phoff);
    assert_memory_equal(head->e_ident, ELFMAG, SELFMAG);
    assert_true(head->e_phnum > 0);
    for (unsigned i = 0; i < head->e_phnum; i++) {
        if (parts[i].p_type == PT_INTERP)
            fail_msg("%s asks for a loader", name);
        if (parts[i].p_type != PT_LOAD)
            continue;
        for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
            if (memmem(all + parts[i].p_offset, parts[i].p_filesz, words[k], strlen(words[k])))
                fail_msg("%s holds \"%s\"", name, words[k]);
    }
    munmap((void *)all, (size_t)st.st_size);
}

static void test_other_programs(void **state)
{
    (void)state;
    static const char *const programs[] = {"2cvm-agent", "2cvm-compile", "2cvm-cell"};
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        look_at(programs[i]);
}

ATTACK_MAIN(test_other_programs)
