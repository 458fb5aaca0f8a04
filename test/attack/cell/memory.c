/*
 * Group: memory. Catches missing: the seccomp rows of mmap, mprotect, madvise and mremap with their
 * arguments, memory-deny-write-execute behind them, RLIMIT_DATA, and the cgroup for what no rlimit
 * counts.
 */
#include "test/attack/cell/hostile.h"

#include <stdlib.h>
#include <sys/mman.h>

/* Write code, then make it code. */
static char write_then_run(const struct hostile_order *order)
{
    (void)order;
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    OPEN_IF(p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0);
}

static char map_code(const struct hostile_order *order)
{
    (void)order;
    OPEN_IF(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
            MAP_FAILED);
}

static char map_writable_code(const struct hostile_order *order)
{
    (void)order;
    OPEN_IF(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                 0) != MAP_FAILED);
}

/* The program's own code, made writable. */
static char change_code(const struct hostile_order *order)
{
    (void)order;
    void *page = (void *)((uintptr_t)change_code & ~(uintptr_t)4095);
    OPEN_IF(mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
}

static char bomb(const struct hostile_order *order)
{
    (void)order;
    size_t total = 0;
    for (; total < 4 * (size_t)HOSTILE_DATA_BYTES; total += 1 << 20) {
        char *p = malloc(1 << 20);
        if (!p)
            break;
        memset(p, 1, 1 << 20);
    }
    OPEN_IF(total > HOSTILE_DATA_BYTES);
}

static char break_bomb(const struct hostile_order *order)
{
    (void)order;
    size_t want = 2 * (size_t)HOSTILE_DATA_BYTES;
    char *p = sbrk((intptr_t)want);
    if (p == (void *)-1)
        return 'e';
    memset(p, 1, want);
    return 'o';
}

/* Memory of kinds that RLIMIT_DATA does not count. */
static char uncounted(int flags)
{
    size_t want = 4 * (size_t)HOSTILE_DATA_BYTES;
    char *p = mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    if (p == MAP_FAILED)
        return 'e';
    memset(p, 1, want);
    return 'o';
}

static char shared(const struct hostile_order *order)
{
    (void)order;
    return uncounted(MAP_SHARED);
}

static char shared_validated(const struct hostile_order *order)
{
    (void)order;
    return uncounted(MAP_SHARED_VALIDATE);
}

static char growing(const struct hostile_order *order)
{
    (void)order;
    return uncounted(MAP_PRIVATE | MAP_GROWSDOWN);
}

static char huge(const struct hostile_order *order)
{
    (void)order;
    return uncounted(MAP_PRIVATE | MAP_HUGETLB);
}

static char locked(const struct hostile_order *order)
{
    (void)order;
    return uncounted(MAP_PRIVATE | MAP_LOCKED);
}

/* The stack is not counted either: here with a piece of it that is made larger elsewhere. */
static char larger_stack(const struct hostile_order *order)
{
    (void)order;
    char here;
    char *page = (char *)((uintptr_t)&here & ~(uintptr_t)4095) - (16 << 12);
    memset(page, 1, 1);
    size_t want = 4 * (size_t)HOSTILE_DATA_BYTES;
    char *p = mremap(page, 4096, want, MREMAP_MAYMOVE);
    if (p == MAP_FAILED)
        return 'e';
    memset(p, 1, want);
    return 'o';
}

/* Reading one byte in each 2 MiB of memory that is only reserved makes the kernel keep a page of
 * tables for it: no rlimit counts those. */
static char page_tables(const struct hostile_order *order)
{
    (void)order;
    size_t step = 2u << 20, tables = 4 * (size_t)HOSTILE_DATA_BYTES / 4096;
    volatile char *p =
        mmap(NULL, step * tables, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return 'e';
    madvise((void *)p, step * tables, MADV_NOHUGEPAGE);
    char sum = 0;
    for (size_t i = 0; i < tables; i++)
        sum = (char)(sum + p[i * step]);
    OPEN_IF(sum == 0);
}

/* Pages that equal another's are merged, and writing to one tells by its time that there was one.
 */
static char merge(const struct hostile_order *order)
{
    (void)order;
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    OPEN_IF(p != MAP_FAILED && madvise(p, 4096, MADV_MERGEABLE) == 0);
}

static char whole_stack(const struct hostile_order *order)
{
    char here;
    void *page = (void *)((uintptr_t)&here & ~(uintptr_t)4095);
    (void)order;
    OPEN_IF(mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_GROWSDOWN) == 0);
}

ATTEMPT(key, SYS_pkey_mprotect, 0, 0, PROT_EXEC, -1)
ATTEMPT(memory_file, SYS_memfd_create, "x", 0)
ATTEMPT(secret_memory, SYS_memfd_secret, 0)
ATTEMPT(lock, SYS_mlockall, MCL_CURRENT)
ATTEMPT(segment, SYS_shmget, 1, 4096, 01600)
ATTEMPT(queue, SYS_mq_open, "x", O_CREAT | O_RDWR, 0600, NULL)
ATTEMPT(poison, SYS_madvise, 0, 0, MADV_HWPOISON)
ATTEMPT(shadow_stack, SYS_arch_prctl, 0x5001, 1)

static const struct hostile_attempt attempts[] = {
    {"write, then run", write_then_run, SEALED_KILLED, NEW_CODE},
    {"map code", map_code, SEALED_KILLED, OPEN}, /* empty code that nobody can write */
    {"map writable code", map_writable_code, KILLED, NEW_CODE},
    {"change the program's code", change_code, KILLED, NEW_CODE},
    {"code by protection key", key, KILLED, OPEN},
    {"memory bomb", bomb, REFUSED, REFUSED},
    {"memory bomb by brk", break_bomb, REFUSED, REFUSED},
    {"shared memory", shared, KILLED, OPEN},
    {"shared memory, validated", shared_validated, KILLED, OPEN},
    {"memory that grows downwards", growing, KILLED, OPEN},
    {"huge pages", huge, KILLED, REFUSED},
    {"locked memory", locked, KILLED, REFUSED},
    {"a larger stack", larger_stack, REFUSED, OPEN},
    {"page tables", page_tables, CGROUP_KILLED, CGROUP_KILLED},
    {"merged pages", merge, KILLED, OPEN},
    {"protect the whole stack", whole_stack, KILLED, OPEN},
    {"memory file", memory_file, KILLED, OPEN},
    {"secret memory", secret_memory, KILLED, OPEN},
    {"lock all memory", lock, KILLED, REFUSED},
    {"System V segment", segment, KILLED, OPEN},
    {"message queue", queue, KILLED, REFUSED},
    {"poison a page", poison, KILLED, REFUSED},
    {"shadow stack", shadow_stack, KILLED, OPEN},
};
HOSTILE_GROUP(memory);
