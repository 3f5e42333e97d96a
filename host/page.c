// SPDX-License-Identifier: Apache-2.0
//
// The page that `mezzo screen` serves: it asks for the newest picture again and again and shows it, or the sentence that
// says why there is none. It needs nothing from elsewhere. Owns its texts; called by cmd_screen.c.
#include "page.h"

#include "buffer.h"
#include "util.h"

#include <string.h>

static const char before[] = "<!doctype html>\n"
                             "<html lang=\"en\">\n"
                             "<meta charset=\"utf-8\">\n"
                             "<meta name=\"viewport\" content=\"width=device-width\">\n"
                             "<title>";
static const char between[] = " - Mezzo</title>\n"
                              "<link rel=\"stylesheet\" href=\"/screen.css\">\n"
                              "<header><b>";
static const char after[] =
        "</b> <span id=\"state\">connecting</span></header>\n"
        "<main><img id=\"screen\" alt=\"the screen\" hidden><p id=\"text\" hidden></p></main>\n"
        "<script src=\"/screen.js\"></script>\n";

const char page_style[] =
        "* { box-sizing: border-box; margin: 0 }\n"
        "html, body { height: 100% }\n"
        "body { display: flex; flex-direction: column; background: #16181d; color: #d8dbe2;\n"
        "       font: 14px/1.5 system-ui, 'DejaVu Sans', sans-serif }\n"
        "header { padding: 8px 16px; background: #22252d; border-bottom: 1px solid #343844 }\n"
        "#state { margin-left: 12px; color: #8f96a6 }\n"
        "main { flex: 1; min-height: 0; padding: 16px; display: flex; align-items: center;\n"
        "       justify-content: center }\n"
        "img { max-width: 100%; max-height: 100%; image-rendering: pixelated;\n"
        "      box-shadow: 0 0 0 1px #343844, 0 6px 24px #0008 }\n"
        "p { max-width: 40em; text-align: center }\n"
        "[hidden] { display: none }\n";

const char page_script[] =
        "'use strict';\n"
        "const [screen_, text, state] = ['screen', 'text', 'state'].map(id => "
        "document.getElementById(id));\n"
        "let shown = '', serial = '';\n"
        "\n"
        "async function picture(answer) {\n"
        "\tconst url = URL.createObjectURL(await answer.blob());\n"
        "\tscreen_.src = url;\n"
        "\tawait screen_.decode();\n"
        "\tURL.revokeObjectURL(shown);\n"
        "\tshown = url;\n"
        "\ttext.hidden = true;\n"
        "\tscreen_.hidden = false;\n"
        "\tstate.textContent = screen_.naturalWidth + ' \\u00d7 ' + screen_.naturalHeight;\n"
        "}\n"
        "\n"
        "function sentence(words, why) {\n"
        "\tscreen_.hidden = true;\n"
        "\ttext.hidden = false;\n"
        "\ttext.textContent = words;\n"
        "\tstate.textContent = why;\n"
        "}\n"
        "\n"
        "// Each request waits at the server until there is something new.\n"
        "async function follow() {\n"
        "\tfor (;;) {\n"
        "\t\ttry {\n"
        "\t\t\tconst answer = await fetch('/screen.png' + serial, {cache: 'no-store'});\n"
        "\t\t\tif (answer.status === 200)\n"
        "\t\t\t\tawait picture(answer);\n"
        "\t\t\telse if (answer.status !== 204)\n"
        "\t\t\t\tsentence(await answer.text(), 'no picture');\n"
        "\t\t\tserial = '?after=' + answer.headers.get('X-Mezzo-Serial');\n"
        "\t\t} catch (error) {\n"
        "\t\t\tserial = '';\n"
        "\t\t\tsentence('mezzo screen has ended, or cannot be reached.', 'not connected');\n"
        "\t\t\tawait new Promise(resolve => setTimeout(resolve, 1000));\n"
        "\t\t}\n"
        "\t}\n"
        "}\n"
        "follow();\n";

static void add_escaped(struct buffer *to, const char *text)
{
	for (; *text != '\0'; text++) {
		const char *word = *text == '<'   ? "&lt;"
		                   : *text == '&' ? "&amp;"
		                   : *text == '>' ? "&gt;"
		                                  : NULL;
		if (word != NULL)
			buffer_add(to, word, strlen(word));
		else
			buffer_add(to, text, 1);
	}
}

char *page_html(const char *name)
{
	struct buffer page = {0};

	buffer_add(&page, before, sizeof(before) - 1);
	add_escaped(&page, name);
	buffer_add(&page, between, sizeof(between) - 1);
	add_escaped(&page, name);
	buffer_add(&page, after, sizeof(after)); // and the NUL
	return (char *)page.bytes + page.start;
}
