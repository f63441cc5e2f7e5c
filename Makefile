# SPDX-License-Identifier: GPL-2.0
# memsync: a kernel module and its userspace. Kbuild says what the module is made of.
#
#	make			the module for the running kernel, and the userspace
#	make KDIR=DIR		the module for the kernel whose build directory is DIR
#	make install		both, on this machine (DESTDIR=, PREFIX=/usr/local)
#	make uninstall		removes them
#	make dkms		the module by DKMS, built again for each new kernel
#	make demo		two virtual machines and a live redis (KERNEL=6.1)
#	make check		everything that is tested, in its short form
#	make lint		what can be said without running anything
#	make bench		the performance tables
#	make torture		memory changed in every way, and compared (SEED= MINUTES=2 KERNEL=6.1)
#	make mutants		deliberate faults in the module, which the tests must find
#	make soak		the long forms (HOURS=1)
#	make clean

VERSION	:= $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
KDIR	?= /lib/modules/$(shell uname -r)/build
PREFIX	?= /usr/local
DESTDIR	?=
HOURS	?= 1

export PREFIX DESTDIR

all: module userspace

# Said in one line, and before the kernel's makefile fails in many
need-kdir = $(if $(wildcard $(KDIR)/Makefile),,$(error no headers of \
kernel $(shell uname -r) at $(KDIR): apt-get install linux-headers-$(shell uname -r), \
or give KDIR=))

# What uname -r says there; Debian's 6.1 has another in include/config/kernel.release
release = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h)

module:
	$(need-kdir)
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

userspace:
	$(MAKE) -C userspace

check:
	@selftests/check

demo:
	@selftests/demo/run

bench:
	@selftests/bench/run

lint:
	@selftests/lint/run

# SEED, MINUTES and KERNEL reach it from the environment and from the command line
torture:
	@selftests/torture/run

mutants:
	@selftests/mutants/run

soak:
	@HOURS=$(HOURS) selftests/soak

# depmod, ldconfig: a package does that when it is unpacked, not when it is made
install: all
	$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_PATH=$(DESTDIR) modules_install
	$(MAKE) -C userspace install
	$(if $(DESTDIR),,depmod $(release))
	$(if $(DESTDIR),,ldconfig)

uninstall:
	$(need-kdir)
	rm -f $(DESTDIR)/lib/modules/$(release)/*/memsync.ko*
	$(if $(DESTDIR),,depmod $(release))
	$(MAKE) -C userspace uninstall
	$(if $(DESTDIR),,ldconfig)

# What DKMS needs of the sources, where it looks for them
dkms-dir := /usr/src/memsync-$(VERSION)

dkms:
	@command -v dkms >/dev/null || { echo "needed: apt-get install dkms" >&2; exit 1; }
	-dkms remove memsync/$(VERSION) --all >/dev/null 2>&1
	rm -rf $(dkms-dir)
	install -d $(dkms-dir)
	git ls-files -z -- Kbuild LICENSE dkms.conf kmod include 2>/dev/null | \
		xargs -0r cp --parents -t $(dkms-dir) --
	[ -e $(dkms-dir)/Kbuild ] || cp -r Kbuild LICENSE dkms.conf kmod include $(dkms-dir)
	dkms install memsync/$(VERSION)

# By hand, so that it needs no kernel's headers
clean:
	$(MAKE) -C userspace clean
	find Kbuild kmod \( -name '*.o' -o -name '.*.cmd' -o -name '.*.d' \) -delete
	rm -rf *.o *.ko *.mod *.mod.c .*.cmd Module.symvers modules.order .tmp_versions
	rm -rf selftests/results

.PHONY: all module userspace check demo bench lint torture mutants soak install uninstall dkms clean
