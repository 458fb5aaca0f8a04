/* doc/openapi.json, as it is, between two symbols. */
#include "orchestrator/api/api.h"

__asm__(".section .rodata\n"
        ".global cvm_openapi\n"
        ".global cvm_openapi_end\n"
        "cvm_openapi:\n"
        ".incbin \"" CVM_OPENAPI_FILE "\"\n"
        "cvm_openapi_end:\n"
        ".byte 0\n"
        ".previous\n");
