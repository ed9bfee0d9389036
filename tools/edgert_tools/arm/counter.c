/* Counts the guest's instructions under qemu-user, and writes the count so far when the guest marks it.
 *
 * A mark is the system call close(-4242): on any kernel it fails with EBADF and does nothing else.
 * Built with -DPLUGIN_API=1 for QEMU before 9.0, 2 from then on. The declarations stand for qemu-plugin.h, which Debian
 * does not ship; only calls whose form is the same in all versions are used.
 * Arguments: out=FILE.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define CLOSE 57 /* aarch64's number */
#define MARK (-4242)

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
enum registers { NO_REGISTERS };

typedef void (*translated_fn)(plugin_id, struct qemu_plugin_tb *);
typedef void (*executed_fn)(unsigned int, void *);
typedef void (*syscall_fn)(plugin_id, unsigned int, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                           uint64_t, uint64_t);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translated_fn);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, executed_fn, enum registers, void *);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id, syscall_fn);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

EXPORT int qemu_plugin_version = PLUGIN_API;

static uint64_t instructions;
static FILE *out;

static void executed(unsigned int cpu, void *length)
{
    (void)cpu;
    __atomic_fetch_add(&instructions, (uint64_t)(uintptr_t)length, __ATOMIC_RELAXED);
}

static void translated(plugin_id id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, NO_REGISTERS, (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void called(plugin_id id, unsigned int cpu, int64_t number, uint64_t first, uint64_t a2, uint64_t a3, uint64_t a4,
                   uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id, (void)cpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number == CLOSE && (int32_t)first == MARK) {
        fprintf(out, "%" PRIu64 "\n", __atomic_load_n(&instructions, __ATOMIC_RELAXED));
        fflush(out);
    }
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], "out=", 4) == 0)
            out = fopen(argv[i] + 4, "w");
    if (out == NULL)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
