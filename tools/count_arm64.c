/* A plugin for QEMU's user-mode emulation of arm64, for count_arm64.py beside it: counts executed instructions by kind, and
 * prints what it has counted each time the program asks for the process id of its parent.
 * Debian 12's QEMU 7.2 comes without the header, so the few functions of it are declared here. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct block block;
typedef struct instruction instruction;
typedef uint64_t u64;

extern size_t qemu_plugin_tb_n_insns(const block *);
extern instruction *qemu_plugin_tb_get_insn(const block *, size_t);
extern const void *qemu_plugin_insn_data(const instruction *);
extern void qemu_plugin_register_vcpu_tb_trans_cb(u64 id, void (*)(u64 id, block *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(block *, void (*)(unsigned cpu, void *), int flags, void *);
extern void qemu_plugin_register_vcpu_syscall_cb(
    u64 id, void (*)(u64 id, unsigned cpu, int64_t number, u64, u64, u64, u64, u64, u64, u64, u64));

int qemu_plugin_version = 1;

enum { GETPPID = 173 };

/* The first that fits counts; encodings are those of the Arm Architecture Reference Manual (A-profile, C4.1). */
static const struct {
    uint32_t mask, value;
    const char *name;
} KINDS[] = {
    {0xbfa0fc00, 0x0e20cc00, "fmla"},   {0xbf80f400, 0x0f801000, "fmla"},   {0xbf20fc00, 0x0e009400, "sdot"},
    {0xbf00f400, 0x0f00e000, "sdot"},   {0xbf20fc00, 0x0e208000, "smlal"},  {0xbf00f400, 0x0f002000, "smlal"},
    {0xbf20fc00, 0x0e20c000, "smlal"},  {0xbf00f400, 0x0f00a000, "smlal"},  {0x0a000000, 0x08000000, "memory"},
    {0x0e000000, 0x0e000000, "vector"}, {0, 0, "other"},
};
enum { COUNT = sizeof KINDS / sizeof *KINDS };

static u64 counted[COUNT];

static void executed(unsigned cpu, void *kinds)
{
    for (int i = 0; i < COUNT; i++)
        counted[i] += ((uint32_t *)kinds)[i];
}

static void translated(u64 id, block *code)
{
    uint32_t *kinds = calloc(COUNT, sizeof *kinds);
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(code); i++) {
        uint32_t word;
        int kind = 0;
        memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(code, i)), sizeof word);
        while ((word & KINDS[kind].mask) != KINDS[kind].value)
            kind++;
        kinds[kind]++;
    }
    qemu_plugin_register_vcpu_tb_exec_cb(code, executed, 0, kinds);
}

static void called(u64 id, unsigned cpu, int64_t number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f, u64 g, u64 h)
{
    if (number != GETPPID)
        return;
    fprintf(stderr, "counted");
    for (int i = 0; i < COUNT; i++)
        fprintf(stderr, " %s %llu", KINDS[i].name, (unsigned long long)counted[i]);
    fprintf(stderr, "\n");
}

int qemu_plugin_install(u64 id, const void *info, int argc, char **argv)
{
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
