// SPDX-License-Identifier: GPL-2.0
/*
 * The protocol's checks, given whatever bytes a fuzzer comes up with.
 *
 * The input is one direction of a connection: frames, one after another. What a check
 * lets through must hold what its callers rely on; that is asserted here. With
 * libFuzzer this is a coverage-guided fuzzer; with -DSTANDALONE it runs the files it is
 * given, or random bytes for -s seconds.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../../kmod/wire.c"

#define PAGE	4096U
#define SIZE	(1024ULL * PAGE)

/* What a receiver carries from frame to frame. */
struct state {
	u64 seq;
	u32 next_range;
	u64 sum;
	u64 next_digest;
	struct memsync_hello hello;
};

static void on_hello(struct state *s, const void *payload)
{
	struct memsync_wire_fault fault;

	if (!memsync_wire_check_hello(payload, PAGE, &s->hello, &fault)) {
		s->hello.nr_ranges = 0;
		return;
	}
	assert(s->hello.nr_ranges && s->hello.nr_ranges <= MEMSYNC_WIRE_MAX_RANGES);
	assert(s->hello.size && s->hello.size % PAGE == 0);
	assert(strlen(s->hello.name) >= 1 && strlen(s->hello.name) <= MEMSYNC_WIRE_NAME_MAX);
	s->next_range = 0;
	s->sum = 0;
}

static void on_geometry(struct state *s, const void *payload, u32 length)
{
	const struct memsync_wire_geometry *w = payload;
	struct memsync_wire_fault fault;
	u32 next = s->next_range;
	u64 sum = s->sum;

	if (next >= s->hello.nr_ranges ||
	    !memsync_wire_check_geometry(w, length, s->hello.nr_ranges, s->hello.size, PAGE, &next,
					 &sum, &fault))
		return;
	assert(next > s->next_range && next <= s->hello.nr_ranges);
	assert(sum > s->sum && sum <= s->hello.size);
	assert(next < s->hello.nr_ranges || sum == s->hello.size);
	s->next_range = next;
	s->sum = sum;
}

static void on_grow(struct state *s, const void *payload)
{
	const struct memsync_wire_grow *w = payload;
	struct memsync_wire_fault fault;

	if (!s->hello.nr_ranges || s->next_range < s->hello.nr_ranges ||
	    !memsync_wire_check_grow(w, s->hello.nr_ranges, s->hello.size, PAGE, &fault))
		return;
	assert(le32_to_cpu(w->nr_ranges) > s->hello.nr_ranges);
	assert(le32_to_cpu(w->nr_ranges) <= MEMSYNC_WIRE_MAX_RANGES);
	assert(le64_to_cpu(w->size) > s->hello.size && le64_to_cpu(w->size) % PAGE == 0);
	s->hello.nr_ranges = le32_to_cpu(w->nr_ranges);
	s->hello.size = le64_to_cpu(w->size);
}

static void on_pages(const void *payload, u32 length)
{
	const struct memsync_wire_pages *w = payload;
	struct memsync_wire_fault fault;
	u64 end = 0, contents = 0;
	u32 head, i;

	head = memsync_wire_pages_head(w, length, PAGE, &fault);
	if (!head)
		return;
	assert(head <= length);
	if (!memsync_wire_check_descs(w, SIZE, PAGE, &fault))
		return;
	for (i = 0; i < le32_to_cpu(w->nr_descs); i++) {
		u64 offset = le64_to_cpu(w->descs[i].offset);
		u64 nr = le32_to_cpu(w->descs[i].nr);

		assert(nr && offset % PAGE == 0 && offset >= end);
		end = offset + nr * PAGE;
		assert(end > offset && end <= SIZE);
		if (!w->descs[i].flags)
			contents += nr;
	}
	assert(contents <= MEMSYNC_WIRE_FRAME_PAGES && head + contents * PAGE == length);
}

static void on_digest(struct state *s, const void *payload, u32 length)
{
	const struct memsync_wire_digest *w = payload;
	struct memsync_wire_fault fault;
	u64 end = s->next_digest;
	u32 i;

	if (!memsync_wire_check_digest(w, length, SIZE, PAGE, &s->next_digest, &fault)) {
		s->next_digest = 0;
		return;
	}
	for (i = 0; i < le32_to_cpu(w->nr); i++) {
		u64 offset = le64_to_cpu(w->runs[i].offset);

		assert(offset >= end);
		end = offset + (u64)le32_to_cpu(w->runs[i].nr) * PAGE;
		assert(end > offset && end <= SIZE);
	}
	assert(end == s->next_digest);
}

static void on_digest_reply(const void *payload, u32 length)
{
	const struct memsync_wire_digest_reply *w = payload;
	struct memsync_wire_fault fault;
	u32 i;

	if (!memsync_wire_check_digest_reply(w, length, SIZE, PAGE, &fault))
		return;
	for (i = 0; i < le32_to_cpu(w->nr); i++)
		assert(le64_to_cpu(w->stretches[i].offset) +
		       le64_to_cpu(w->stretches[i].length) <= SIZE);
}

static void on_error(const void *payload)
{
	char reason[MEMSYNC_WIRE_REASON_LEN];
	size_t i;

	memsync_wire_get_error(payload, reason, sizeof(reason));
	assert(strlen(reason) >= 1 && strlen(reason) < sizeof(reason));
	for (i = 0; reason[i]; i++)
		assert(reason[i] >= ' ' && reason[i] <= '~');
}

static void on_frame(struct state *s, u8 type, const void *payload, u32 length)
{
	struct memsync_wire_fault fault;

	switch (type) {
	case MEMSYNC_WIRE_HELLO:
		return on_hello(s, payload);
	case MEMSYNC_WIRE_GEOMETRY:
		return on_geometry(s, payload, length);
	case MEMSYNC_WIRE_HELLO_ACK:
		memsync_wire_check_hello_ack(payload, 0, &fault);
		return;
	case MEMSYNC_WIRE_PAGES:
		return on_pages(payload, length);
	case MEMSYNC_WIRE_BARRIER:
		memsync_wire_check_barrier(payload, 1, &fault);
		return;
	case MEMSYNC_WIRE_DIGEST:
		return on_digest(s, payload, length);
	case MEMSYNC_WIRE_DIGEST_REPLY:
		return on_digest_reply(payload, length);
	case MEMSYNC_WIRE_ACK:
		memsync_wire_check_ack(payload, 100, 100, 100, &fault);
		return;
	case MEMSYNC_WIRE_ERROR:
		return on_error(payload);
	case MEMSYNC_WIRE_GROW:
		return on_grow(s, payload);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct state s = {};

	while (size >= sizeof(struct memsync_wire_header)) {
		struct memsync_wire_header h;
		struct memsync_wire_fault fault = {};
		void *payload;
		u32 length;

		memcpy(&h, data, sizeof(h));
		data += sizeof(h);
		size -= sizeof(h);
		/* so that the fuzzer need not guess how the number goes on */
		h.seq = cpu_to_le64(s.seq);
		if (!memsync_wire_check_header(&h, ~0U, s.seq, PAGE, &fault)) {
			assert(fault.code && fault.reason);
			return 0;
		}
		s.seq++;
		length = le32_to_cpu(h.length);
		assert(length <= MEMSYNC_WIRE_PAGES_HEAD(MEMSYNC_WIRE_FRAME_DESCS) +
				 MEMSYNC_WIRE_FRAME_PAGES * PAGE);

		/* exactly as long as announced, so that a read past it is caught */
		payload = calloc(1, length ? length : 1);
		if (!payload)
			abort();
		memcpy(payload, data, length < size ? length : size);
		on_frame(&s, h.type, payload, length);
		free(payload);
		if (length >= size)
			break;
		data += length;
		size -= length;
	}
	return 0;
}

#ifdef STANDALONE
static void run_file(const char *path)
{
	static u8 data[1 << 20];
	FILE *f = fopen(path, "rb");

	if (!f) {
		perror(path);
		exit(1);
	}
	LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof(data), f));
	fclose(f);
}

/* Frames with good headers and random insides. */
static size_t make_input(u8 *data, size_t room)
{
	size_t at = 0;

	while (at + sizeof(struct memsync_wire_header) + 512 < room && rand() % 8) {
		unsigned int type = 1 + rand() % (__MEMSYNC_WIRE_TYPES - 1);
		struct memsync_wire_header h;
		u32 length = lengths[type].min;
		size_t i;

		if (lengths[type].max > length && rand() % 2)
			length += rand() % (lengths[type].max - length + 1) % 400;
		memsync_wire_header_fill(&h, type, 0, length, 0);
		memcpy(data + at, &h, sizeof(h));
		at += sizeof(h);
		for (i = 0; i < length; i++)
			data[at + i] = rand() % 4 ? 0 : rand() % (rand() % 2 ? 4 : 256);
		at += length;
	}
	return at;
}

int main(int argc, char **argv)
{
	static u8 data[1 << 16];
	unsigned long runs = 0;
	time_t end;
	int i;

	if (argc == 3 && !strcmp(argv[1], "-s")) {
		for (end = time(NULL) + atoi(argv[2]); time(NULL) < end; runs++)
			LLVMFuzzerTestOneInput(data, make_input(data, sizeof(data)));
		printf("%lu runs\n", runs);
		return 0;
	}
	for (i = 1; i < argc; i++)
		run_file(argv[i]);
	return 0;
}
#endif
