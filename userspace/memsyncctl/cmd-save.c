#include "ctl.h"
int cmd_save(struct ctl *ctl, int argc, char **argv) { (void)argc; (void)argv; return ctl_fail(ctl, "not yet"); }
