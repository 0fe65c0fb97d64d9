// SPDX-License-Identifier: BSD-3-Clause
// Writes AML, the byte code of ACPI (specification 6.4 chapter 20), as far as describing devices
// needs it. Objects with a length are opened and closed:
//
//     struct aml a = {.out = &bytes};
//     aml_device(&a, "COM1");
//     aml_name_eisa(&a, "_HID", "PNP0501");
//     aml_name_resources(&a, "_CRS");
//     aml_io(&a, 0x3f8, 8);
//     aml_irq(&a, 4);
//     aml_end(&a); // of the resources
//     aml_end(&a); // of the device
#pragma once

#include "base/strbuf.h"

enum { AML_DEPTH = 8 };

struct aml {
    struct strbuf *out; // borrowed; appended to
    struct {
        size_t start;   // of the content, where the length will be inserted
        bool resources; // a buffer of resource descriptors
    } open[AML_DEPTH];
    u32 depth;
};

// Names have one to four letters.

void aml_scope(struct aml *a, const char *name);
void aml_device(struct aml *a, const char *name);
void aml_method(struct aml *a, const char *name, u32 arguments);
void aml_end(struct aml *a);

void aml_return_argument(struct aml *a, u32 argument);

void aml_name_integer(struct aml *a, const char *name, u64 value);
void aml_name_string(struct aml *a, const char *name, const char *text);
// An identifier such as "PNP0501", in its compressed form.
void aml_name_eisa(struct aml *a, const char *name, const char *id);

// A package of `count` elements (at most 255), which follow; a package may be an element.
void aml_name_package(struct aml *a, const char *name, u32 count);
void aml_package(struct aml *a, u32 count);
void aml_integer(struct aml *a, u64 value);

// Resource descriptors (§6.4), between aml_name_resources and aml_end.

void aml_name_resources(struct aml *a, const char *name);
void aml_io(struct aml *a, u16 port, u8 count); // fixed ports
void aml_irq(struct aml *a, u32 irq);           // an ISA interrupt: edge, active high
void aml_gsi_level_high(struct aml *a, u32 gsi);
void aml_memory32(struct aml *a, u32 base, u32 size); // fixed

// Windows that a bridge hands on to what is behind it.
void aml_window_bus(struct aml *a, u16 first, u16 last);
void aml_window_io(struct aml *a, u16 first, u16 last);
void aml_window_memory32(struct aml *a, u32 base, u32 size);
void aml_window_memory64(struct aml *a, u64 base, u64 size); // prefetchable
