//! Plain tables for a terminal: columns as wide as their widest cell, two spaces between them.

/// Lays out rows under a header. Widths count characters; Vietnamese letters in NFC are one each.
pub fn layout(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    let mut text = String::new();
    line(&mut text, &widths, header.iter().copied());
    line(&mut text, &widths, rule.iter().map(String::as_str));
    for row in rows {
        line(&mut text, &widths, row.iter().map(String::as_str));
    }
    text
}

fn line<'a>(text: &mut String, widths: &[usize], cells: impl Iterator<Item = &'a str>) {
    let start = text.len();
    for (width, cell) in widths.iter().zip(cells) {
        text.push_str(cell);
        let padding = width - cell.chars().count() + 2;
        text.extend(std::iter::repeat_n(' ', padding));
    }
    text.truncate(start + text[start..].trim_end().len());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_characters() {
        let rows = vec![
            vec!["Đặng".into(), "1".into()],
            vec!["A".into(), "22".into()],
        ];
        assert_eq!(
            layout(&["Tên", "Số"], &rows),
            "Tên   Số\n────  ──\nĐặng  1\nA     22\n"
        );
    }
}
