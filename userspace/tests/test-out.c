// SPDX-License-Identifier: GPL-2.0
/* What is printed: JSON and text that do terminals no harm. */
#include <stdlib.h>

#include "../memsyncctl/out.h"
#include "../memsyncctl/utf8.h"
#include "tap.h"

static void escape_is(const char *from, const char *wanted, const char *what)
{
	char text[64];

	CHECK_SAME(out_escape(text, sizeof(text), from), wanted, what);
}

static void test_escape(void)
{
	char text[8];

	escape_is("plain text", "plain text", "plain text stays");
	escape_is("\033[2Jx\a\n", "\\x1b[2Jx\\x07\\x0a", "control characters do not");
	escape_is("\x7f\x9b[1m", "\\x7f\\x9b[1m", "nor do DEL and C1");
	escape_is("\xe2\x80\xae", "\\xe2\\x80\\xae", "nor do those that turn text around");
	escape_is("a\\x1b", "a\\x5cx1b", "a backslash cannot be mistaken");
	out_escape(text, sizeof(text), "abc\033def");
	CHECK_SAME(text, "abc\\x1b", "what is too long is cut between characters");
	out_escape(text, sizeof(text), "abcd\033");
	CHECK_SAME(text, "abcd", "and not within one");
}

static void json_is(const char *from, const char *wanted, const char *what)
{
	struct json_object *obj = json_object_new_object();
	char *text;

	out_string(obj, "s", from);
	text = out_json_text(obj, false);
	CHECK_SAME(text, wanted, what);
	free(text);
	json_object_put(obj);
}

static void test_json(void)
{
	json_is("plain", "{ \"s\": \"plain\" }", "a string");
	json_is("", "{ \"s\": null }", "an empty one is null");
	json_is(NULL, "{ \"s\": null }", "so is none");
	json_is("a\"b\\c", "{ \"s\": \"a\\\"b\\\\c\" }", "quotes and backslashes");
	json_is("a/b", "{ \"s\": \"a/b\" }", "slashes stay");
	json_is("\033\x7f", "{ \"s\": \"\\u001b\\u007f\" }", "control characters and DEL");
	json_is("\xc3\xa9", "{ \"s\": \"\\u00e9\" }", "two bytes of UTF-8");
	json_is("\xf0\x9f\x98\x80", "{ \"s\": \"\\ud83d\\ude00\" }", "four bytes are a pair");
	json_is("\xff\xc3", "{ \"s\": \"\\ufffd\\ufffd\" }", "what is no UTF-8");
	json_is("\xc0\xaf\xed\xa0\x80", "{ \"s\": \"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\" }",
		"what is not allowed in it");
}

static void test_numbers(void)
{
	struct json_object *obj = json_object_new_object();
	char *text;

	out_number(obj, "n", UINT64_MAX);
	out_hex(obj, "h", 0x7f0000001000);
	out_bool(obj, "b", true);
	out_time(obj, "t", 1700000000123456789);
	out_time(obj, "z", 0);
	text = out_json_text(obj, false);
	CHECK_HAS(text, "\"n\": 18446744073709551615,", "a number");
	CHECK_HAS(text, "\"h\": \"0x7f0000001000\",", "an address");
	CHECK_HAS(text, "\"b\": true,", "a truth");
	CHECK_HAS(text, "\"t\": \"2023-11-14T22:13:20.123456Z\",", "a time");
	CHECK_HAS(text, "\"z\": null", "no time");
	free(text);
	json_object_put(obj);
}

int main(void)
{
	test_escape();
	test_json();
	test_numbers();
	return tap_done();
}
