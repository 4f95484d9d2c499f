use proptest::prelude::*;

use super::*;

fn text(text: &str) -> Span {
    Span::Text(text.to_owned())
}

fn parse(text: &str) -> Vec<Block> {
    blocks(text, 0).into_iter().map(|(_, block)| block).collect()
}

fn paragraph(text: &str) -> Vec<Span> {
    match parse(text).as_slice() {
        [Block::Paragraph(spans)] => spans.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_becomes_its_blocks() {
    let answer = "# Title #\nIntro\nmore\n\n- a\n  - b\n- c\n\n1. one\n2) two\n   and on\n\n```rust\nfn main() {\n\n}\n```\n> said\n> *twice*\n\n---\n| a | b |\n|---|:-:|\n| 1 | x\\|y |\nend";
    let item = |depth, number: &str, words| Item { depth, number: number.into(), text: vec![text(words)] };
    let cell = |words| vec![text(words)];
    assert_eq!(
        parse(answer),
        [
            Block::Heading(1, vec![text("Title")]),
            Block::Paragraph(vec![text("Intro\nmore")]),
            Block::List(vec![
                item(0, "", "a"),
                item(1, "", "b"),
                item(0, "", "c"),
                item(0, "1", "one"),
                item(0, "2", "two\nand on")
            ]),
            Block::Code { language: "rust".into(), text: "fn main() {\n\n}".into() },
            Block::Quote(vec![Block::Paragraph(vec![text("said\n"), Span::Emphasis(vec![text("twice")])])]),
            Block::Rule,
            Block::Table(vec![vec![cell("a"), cell("b")], vec![cell("1"), cell("x|y")]]),
            Block::Paragraph(vec![text("end")]),
        ]
    );
}

#[test]
fn code_in_an_item_keeps_its_lines_and_the_numbers_go_on() {
    let found = parse("1. run\n   ```sh\n   ls\n     -l\n   ```\n2. done");
    assert_eq!(found[1], Block::Code { language: "sh".into(), text: "ls\n  -l".into() });
    assert!(matches!(&found[2], Block::List(items) if items[0].number == "2"), "{found:?}");
}

#[test]
fn styles_are_those_of_the_marks_and_nothing_else_is_one() {
    let strong = |inside| Span::Strong(vec![inside]);
    assert_eq!(paragraph("a **b** c"), [text("a "), strong(text("b")), text(" c")]);
    assert_eq!(paragraph("***both***"), [strong(Span::Emphasis(vec![text("both")]))]);
    assert_eq!(paragraph("`a*b*` ``c`d``"), [Span::Code("a*b*".into()), text(" "), Span::Code("c`d".into())]);
    for plain in [
        "snake_case_name",
        "2 * 3 * 4",
        "a ** b",
        "**open",
        "`open",
        "[x]",
        "[x](javascript:alert(1))",
        "<b>x</b>",
        "&amp;",
    ] {
        assert_eq!(paragraph(plain), [text(plain)], "{plain}");
    }
    assert_eq!(paragraph(r"\*not\* this"), [text("*not* this")]);
}

#[test]
fn only_addresses_that_may_be_opened_are_links() {
    let link = |to: &str, words: &str| Span::Link {
        to: to.into(),
        text: if words.is_empty() { Vec::new() } else { vec![text(words)] },
    };
    assert_eq!(paragraph("[docs](https://a.test/x)"), [link("https://a.test/x", "docs")]);
    assert_eq!(paragraph("see http://a.test/x?y=1."), [text("see "), link("http://a.test/x?y=1", ""), text(".")]);
    for plain in ["[x](data:text/html,x)", "[x](//evil.test)", "[x](https://)", "[x](ht\ttps://a)"] {
        assert!(!format!("{:?}", parse(plain)).contains("Link"), "{plain}");
    }
}

/// All that a reader sees, in order.
fn seen(blocks: &[Block], into: &mut String) {
    fn inside(spans: &[Span], into: &mut String) {
        for span in spans {
            match span {
                Span::Text(text) | Span::Code(text) => into.push_str(text),
                Span::Strong(spans) | Span::Emphasis(spans) => inside(spans, into),
                Span::Link { to, text } => {
                    inside(text, into);
                    into.push_str(to);
                }
            }
        }
    }
    for block in blocks {
        match block {
            Block::Heading(_, spans) | Block::Paragraph(spans) => inside(spans, into),
            Block::Code { language, text } => into.extend([language.as_str(), text]),
            Block::List(items) => items.iter().for_each(|item| {
                into.push_str(&item.number);
                inside(&item.text, into);
            }),
            Block::Quote(blocks) => seen(blocks, into),
            Block::Table(rows) => rows.iter().flatten().for_each(|cell| inside(cell, into)),
            Block::Rule => {}
        }
    }
}

fn letters(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphanumeric()).collect()
}

/// Texts that are full of marks.
fn markdown() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z0-9é ]{0,6}".prop_map(String::from),
        6 => prop::sample::select(vec![
            "\n", "\n", "\n\n", "*", "**", "_", "__", "`", "```", "~~~", "# ", "> ", "- ", "1. ", "  ", "\t", "|", "|-|-|", "---",
            "[", "](", ")", "https://a.b/", "\\", "!", "•", "\r", "\u{2028}", "é", "🦀",
        ])
        .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_is_lost_whatever_is_written(source in markdown()) {
        let mut read = String::new();
        seen(&parse(&source), &mut read);
        prop_assert_eq!(letters(&read), letters(&source));
    }

    #[test]
    fn any_text_at_all_is_read_whole(source in any::<String>()) {
        let mut read = String::new();
        seen(&parse(&source), &mut read);
        prop_assert_eq!(letters(&read), letters(&source));
    }

    #[test]
    fn it_is_the_same_however_it_comes(source in markdown(), step in 1_usize..7) {
        let mut flow = Flow::default();
        let letters: Vec<char> = source.chars().collect();
        for piece in letters.chunks(step) {
            flow.push(&piece.iter().collect::<String>());
        }
        let mut found: Vec<Block> = flow.finished().iter().map(|block| (**block).clone()).collect();
        found.extend_from_slice(flow.open());
        prop_assert_eq!(found, parse(&source));
        prop_assert_eq!(flow.text(), source);
    }
}

/// Without the bounds it is hours.
#[test]
fn no_text_takes_long() {
    for piece in [
        "*",
        "**a ",
        "_a_b",
        "[",
        "[](",
        "`a``b```",
        "> ",
        "- ",
        "|-",
        "http://",
        "\\",
        "![a](",
        "***a",
        "> > > > > ",
        "- a\n\n",
        "\n\n\n ",
        "- a\n  - b\n",
        "|a|b|\n|-|-|\n",
        "> a\n",
        "a\n",
        "```\n",
        "# a\n",
        "[a](http://b)",
        "[[a]",
        "a|",
        "|a\n",
    ] {
        let text = piece.repeat(60_000 / piece.len());
        let found = parse(&text);
        assert!(!found.is_empty() || text.trim().is_empty(), "{piece}");
        // Its pieces, as they come, with an end that is far away.
        let text = format!("- a{}b", text.replace('a', "\n"));
        assert!(!parse(&text).is_empty(), "{piece}");
    }
}

#[test]
fn no_block_is_large() {
    let count = |text: &str| parse(text).len();
    assert_eq!(count(&"- a\n".repeat(10 * LONG_LIST)), 10);
    assert_eq!(count(&format!("- a\n{}", "  - b\n".repeat(2 * LONGEST_LIST - 1))), 1 + LONGEST_LIST / LONG_LIST);
    assert_eq!(count(&format!("|a|\n|-|\n{}", "|b|\n".repeat(2 * LONGEST_TABLE))), 2, "the rest is text");
    assert_eq!(count(&"> a\n".repeat(2 * LONGEST_QUOTE)), 2);
    let long = "**a** ".repeat(10_000);
    assert_eq!(paragraph(&long), [text(long.trim())]);
    let source = ["- a\n".repeat(250), "  - b\n".repeat(900), "> c\n".repeat(900), "d\n".into()].concat();
    let mut flow = Flow::default();
    source.as_bytes().chunks(7).for_each(|piece| flow.push(std::str::from_utf8(piece).unwrap()));
    let found: Vec<Block> = flow.finished().iter().map(|block| (**block).clone()).chain(flow.open().to_vec()).collect();
    assert_eq!(found, parse(&source), "as it came");
}
