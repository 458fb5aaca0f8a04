/* A component of benchmarks/calls as a .cwasm: compile-calls COMPONENT OUT bench|composed. Without
 * walls: it is our own. A program of its own, because one program cannot hold both libraries of the
 * engine. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "benchmarks/bench.h"
#include "guest-agent/engine/cvm-engine.h"

int main(int argc, char **argv)
{
    static const char *const exports[] = {"bench:calls/values@1.0.0", "bench:calls/driver@1.0.0"};
    const struct cvm_engine_options options = {.kind = CVM_ENGINE_KIND_LIBRARY,
                                               .memory_bytes = 64u << 20};
    size_t composed = argc == 4 && strcmp(argv[3], "composed") == 0; /* only the driver shows */
    const struct cvm_engine_interfaces calls = {exports + composed, 2 - composed, exports,
                                                1 - composed};
    struct cvm_engine_admission admission;
    struct cvm_engine_bytes code = {0}, texts = {0};
    struct stat st;
    int from = argc == 4 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    if (from < 0 || fstat(from, &st) < 0)
        return 2;
    void *component = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, from, 0);
    if (component == MAP_FAILED)
        return 2;
    cvm_engine_compile(&options, &calls, component, (size_t)st.st_size, &admission, &code, &texts);
    if (admission.end != CVM_ENGINE_ADMITTED) {
        fprintf(stderr, "refused: %u\n", admission.end);
        return 1;
    }
    int to = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (to < 0 || write(to, code.data, code.len) != (ssize_t)code.len)
        return 1;
    cvm_engine_free(&code);
    cvm_engine_free(&texts);
    return 0;
}
