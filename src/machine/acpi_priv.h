// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "machine/acpi.h"

// acpi_dsdt.c: the AML of the DSDT, without its header.
void acpi_dsdt_body(const struct acpi_machine *m, struct strbuf *out);
