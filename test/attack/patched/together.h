/*
 * Attacks of one cell on another by what passes between them: a real agent, the real compiler, and
 * the patched runner of this folder, in which a component whose id names a lie is run by a liar and
 * every other by the product's own code. `ask` and `answer` are honest.
 */
#ifndef CVM_TEST_TOGETHER_H
#define CVM_TEST_TOGETHER_H

#include "test/attack/attack.h"

#define THINGS "test:calls/things@1.0.0"
#define CHAIN "test:calls/chain@1.0.0"
#define WALL_MS 1000 /* for what waits for ever */

#define PATCHED_IMAGE CVM_BINARY_DIR "/patched-image"

ATTACK void together_outputs(struct world *w, const char *from)
{
    world_channel(w, from, "/dev/stdout", "result", NULL);
    world_output(w, "result", 4096);
    world_diagnostics(w, "how");
}

ATTACK void together_call(struct world *w, const char *from, const char *to, const char *interface,
                          const char *limits)
{
    CVM_AUTO_FREE char *channel = cvm_printf(
        "{'kind':'call','from':'%s','to':'%s','interface':'%s',%s}", from, to, interface, limits);
    world_joint(w, channel);
}

/* `caller` calls `library` as `args` say. */
ATTACK void together_two(struct world *w, const char *caller, const char *args, const char *library,
                         const char *instance, const char *limits)
{
    world_open(w);
    world_component_file(w, caller, "caller", args);
    world_component_file(w, library, "things", "[]");
    world_library(w, instance);
    together_call(w, caller, library, THINGS, limits);
    together_outputs(w, caller);
}

/* `ask` calls `middle`, which calls `answer`; the components of the first two are these files. */
ATTACK void together_chain(struct world *w, const char *caller, const char *args,
                           const char *middle, const char *library)
{
    world_open(w);
    world_component_file(w, "ask", caller, args);
    world_component_file(w, middle, library, "[]");
    world_library(w, "run");
    world_component_file(w, "answer", "things", "[]");
    world_library(w, "run");
    together_call(w, "ask", middle, CHAIN, WORLD_AMPLE);
    together_call(w, middle, "answer", THINGS, WORLD_AMPLE);
    together_outputs(w, "ask");
}

#define TOGETHER_MAIN(tests)                                                                       \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        world_image = PATCHED_IMAGE;                                                               \
        return WORLD_MAIN(tests);                                                                  \
    }

#endif
