/* A stand-in for libedgetpu.so.1, with the interface of TensorFlow Lite's external delegates.
 *
 * Compiled networks hold the operator `edgetpu-custom-op`; here it copies its input to its output. The device is there
 * while the file named by STUB_EDGETPU exists. What it is asked for is appended to that name with `.log`.
 * The structures are the heads of those in tensorflow/lite/core/c/common.h, as far as they are used. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { int size; int data[]; } IntArray;
typedef struct {
    int type;
    char *data;
    IntArray *dims;
    float scale;
    int32_t zero_point;
    int allocation_type;
    size_t bytes;
    const void *allocation;
    const char *name;
    void *delegate;
    int buffer_handle;
    bool data_is_stale, is_variable;
    struct { int type; void *params; } quantization;
    void *sparsity;
    const IntArray *dims_signature;
} Tensor;
typedef struct { IntArray *inputs, *outputs; } Node;
typedef struct Context Context;
typedef struct {
    void *(*init)(Context *, const char *, size_t);
    void (*free)(Context *, void *);
    int (*prepare)(Context *, Node *);
    int (*invoke)(Context *, Node *);
    const char *(*profiling_string)(const Context *, const Node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    void *rest[4];
} Registration;
typedef struct Delegate {
    void *data;
    int (*prepare)(Context *, struct Delegate *);
    void *buffers[3];
    int64_t flags;
    void *opaque_builder;
} Delegate;
struct Context {
    size_t tensors_size;
    int (*plan)(Context *, IntArray **);
    Tensor *tensors;
    void *impl;
    void *resize;
    void (*report)(Context *, const char *, ...);
    void *add;
    int (*node)(Context *, int, Node **, Registration **);
    int (*replace)(Context *, Registration, const IntArray *, Delegate *);
};

static bool plugged_in(void) { return access(getenv("STUB_EDGETPU"), F_OK) == 0; }

static void note(const char *what, const char *value) {
    char name[4096];
    snprintf(name, sizeof name, "%s.log", getenv("STUB_EDGETPU"));
    FILE *log = fopen(name, "a");
    if (log) { fprintf(log, "%s %s\n", what, value); fclose(log); }
}

static int invoke(Context *context, Node *node) {
    if (!plugged_in()) {
        context->report(context, "Failed to execute request. USB transfer error 2");
        return 1;
    }
    const Tensor *in = &context->tensors[node->inputs->data[0]];
    Tensor *out = &context->tensors[node->outputs->data[0]];
    memcpy(out->data, in->data, out->bytes);
    note("invoke", "");
    return 0;
}

static int prepare(Context *context, Delegate *delegate) {
    IntArray *plan, *mine;
    if (context->plan(context, &plan)) return 1;
    mine = calloc(1, sizeof(IntArray) + plan->size * sizeof(int));
    for (int i = 0; i < plan->size; i++) {
        Node *node;
        Registration *registration;
        context->node(context, plan->data[i], &node, &registration);
        if (registration->custom_name && !strcmp(registration->custom_name, "edgetpu-custom-op"))
            mine->data[mine->size++] = plan->data[i];
    }
    Registration ours = {.invoke = invoke, .custom_name = "EdgeTpuDelegateForCustomOp", .version = 1};
    int status = context->replace(context, ours, mine, delegate);
    free(mine);
    return status;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t n, void (*report)(const char *)) {
    for (size_t i = 0; i < n; i++) note(keys[i], values[i]);
    if (!plugged_in()) { report("no device"); return NULL; }
    Delegate *delegate = calloc(1, sizeof(Delegate));
    delegate->prepare = prepare;
    delegate->flags = 1; /* dynamic tensors are allowed: nothing is prepared before it is ours */
    note("open", "");
    return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
    if (delegate) note("close", "");
    free(delegate);
}
