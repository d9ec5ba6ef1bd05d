//! Optimal Huffman tables of at most 16 bits from symbol counts, by package-merge (Larmore, Hirschberg 1990).

use crate::tables::huffman::{legal_symbols, Class, Spec, MAX_CODE_BITS};

/// The optimal table for these counts. One is added to each legal symbol, so that every future frame can be coded.
pub fn fit(counts: &[u64; 256], class: Class) -> Spec {
    let symbols = legal_symbols(class);
    let mut weights: Vec<u64> = symbols
        .iter()
        .map(|&s| counts[s as usize].saturating_add(1))
        .collect();
    // T.81 K.2: one more symbol, the rarest, gets the code of all ones and is left out afterwards.
    weights.push(0);
    let lengths = code_lengths(&weights);
    let mut by_length: Vec<(usize, u8)> = lengths.iter().copied().zip(symbols).collect();
    by_length.sort_unstable();
    let mut table = Spec {
        counts: [0; MAX_CODE_BITS],
        symbols: [0; 256],
    };
    for (place, (length, symbol)) in table.symbols.iter_mut().zip(by_length) {
        table.counts[length - 1] += 1;
        *place = symbol;
    }
    table
}

#[derive(Clone, Copy)]
enum Item {
    Leaf(usize),
    Package(usize, usize),
}

/// The length of each weight's code, at most 16. The last weight gets one of the longest codes.
fn code_lengths(weights: &[u64]) -> Vec<usize> {
    let mut leaves: Vec<usize> = (0..weights.len()).collect();
    // Of equal weights the later one counts as the rarer one, so that the reserved symbol stands first.
    leaves.sort_by_key(|&leaf| (weights[leaf], std::cmp::Reverse(leaf)));
    let mut items: Vec<(u64, Item)> = Vec::new();
    let mut row: Vec<usize> = Vec::new();
    for _ in 0..MAX_CODE_BITS {
        let packages: Vec<usize> = row
            .chunks_exact(2)
            .map(|pair| {
                let weight = items[pair[0]].0.saturating_add(items[pair[1]].0);
                items.push((weight, Item::Package(pair[0], pair[1])));
                items.len() - 1
            })
            .collect();
        let first = items.len();
        items.extend(leaves.iter().map(|&leaf| (weights[leaf], Item::Leaf(leaf))));
        row = (first..items.len()).chain(packages).collect();
        row.sort_by_key(|&item| items[item].0);
    }
    let mut lengths = vec![0; weights.len()];
    let mut open: Vec<usize> = row[..2 * weights.len() - 2].to_vec();
    while let Some(item) = open.pop() {
        match items[item].1 {
            Item::Leaf(leaf) => lengths[leaf] += 1,
            Item::Package(a, b) => open.extend([a, b]),
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(spec: &Spec, counts: &[u64; 256]) -> u64 {
        let lengths = (1_u64..)
            .zip(spec.counts)
            .flat_map(|(l, n)| std::iter::repeat(l).take(n as usize));
        spec.values()
            .iter()
            .zip(lengths)
            .map(|(&s, l)| l * (counts[s as usize] + 1))
            .sum()
    }

    #[test]
    fn any_counts_give_a_valid_table_of_all_symbols() {
        let mut steep = [0_u64; 256];
        for (power, symbol) in legal_symbols(Class::Ac).into_iter().enumerate() {
            steep[symbol as usize] = 1 << (power % 60);
        }
        for (counts, class) in [
            ([0; 256], Class::Dc),
            ([u64::MAX; 256], Class::Ac),
            (steep, Class::Ac),
        ] {
            let spec = fit(&counts, class);
            assert_eq!(Spec::new(spec.counts, spec.values()), Ok(spec));
            assert_eq!(spec.require_all_symbols(class), Ok(()));
        }
    }

    #[test]
    fn the_reserved_code_costs_no_more_than_a_huffman_tree_says() {
        // Weights 1, 1, 2, 4, ... make a comb: lengths 1, 2, 3, ... with the reserved code at the bottom.
        let mut counts = [0; 256];
        for symbol in 0..12_u8 {
            counts[symbol as usize] = (1_u64 << (2 * symbol)) - 1;
        }
        let spec = fit(&counts, Class::Dc);
        let expected: u64 = (0..12).map(|symbol| (12 - symbol) << (2 * symbol)).sum();
        assert_eq!(cost(&spec, &counts), expected);
    }
}
