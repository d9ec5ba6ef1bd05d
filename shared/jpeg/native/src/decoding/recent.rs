//! Decoding tables that are kept because streams bring the same Huffman tables again and again.

use std::sync::{Arc, RwLock};

use crate::entropy::decode_table::DecodeTable;
use crate::tables::huffman::{Class, Spec};

/// The tables that were derived last.
///
/// No thread waits for its lock: a process forked while another thread holds the lock would wait for ever.
#[derive(Default)]
pub struct RecentTables {
    tables: RwLock<Vec<Arc<DecodeTable>>>,
}

impl RecentTables {
    /// How many tables are kept: those of two streams, four each.
    const KEPT: usize = 8;

    /// The table of `spec`: one of the last, or derived anew where it is not among them or the lock is taken.
    pub fn table(&self, spec: &Spec, class: Class) -> Arc<DecodeTable> {
        self.found(spec, class).unwrap_or_else(|| {
            let derived = Arc::new(DecodeTable::new(spec, class));
            if let Ok(mut tables) = self.tables.try_write() {
                tables.truncate(Self::KEPT - 1);
                tables.insert(0, Arc::clone(&derived));
            }
            derived
        })
    }

    fn found(&self, spec: &Spec, class: Class) -> Option<Arc<DecodeTable>> {
        let tables = self.tables.try_read().ok()?;
        tables.iter().find(|table| table.is_of(spec, class)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::sampling::Sampling;
    use crate::tables::fit::fit;
    use crate::tables::fixtures::some_tables;

    #[test]
    fn a_table_is_derived_once_and_again_where_a_lock_stays_taken() {
        let recent = RecentTables::default();
        let spec = some_tables(Sampling::Grey, &[1]).huffman[0];
        let first = recent.table(&spec, Class::Dc);
        assert!(Arc::ptr_eq(&first, &recent.table(&spec, Class::Dc)));
        let _taken = recent.tables.write();
        assert!(recent.table(&spec, Class::Dc).is_of(&spec, Class::Dc));
    }

    #[test]
    fn only_the_last_tables_are_kept() {
        let recent = RecentTables::default();
        let specs: Vec<Spec> = (0..12)
            .map(|favourite| {
                let mut counts = [0; 256];
                counts[favourite] = 1000;
                fit(&counts, Class::Dc)
            })
            .collect();
        for spec in &specs {
            recent.table(spec, Class::Dc);
        }
        let kept = specs.iter().map(|spec| recent.found(spec, Class::Dc).is_some());
        assert!(kept.eq((0..12).map(|index| index >= 12 - RecentTables::KEPT)));
    }
}
