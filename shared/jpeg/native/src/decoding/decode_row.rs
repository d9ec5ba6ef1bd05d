//! Decoding into the rows of a batch: one frame, or several of one prefix.

use crate::decoding::coefficient::{Coefficient, Plane};
use crate::decoding::decoder::{Decoder, Workspace};
use crate::decoding::prefix::{Decoded, Prefix};
use crate::decoding::row::{BatchSize, Row};
use crate::error::{Error, Kind, Result};
use crate::geometry::block::BLOCK_AREA;
use crate::geometry::layout::ComponentLayout;
use crate::transform::resample::Resample;

impl Decoder {
    /// Decode a frame of the batch's size, in 4:2:0 or a sampling that can be brought to it, into a row of zeros.
    ///
    /// After an error the row holds what was decoded so far.
    pub fn decode_row<T: Coefficient>(
        &self,
        data: &[u8],
        size: BatchSize,
        y: &mut [T],
        c: &mut [T],
        workspace: &mut Workspace,
    ) -> Result<()> {
        let (cb, cr) = c.split_at_mut(c.len() / 2);
        let mut planes = [Plane { data: y }, Plane { data: cb }, Plane { data: cr }];
        let found = self.decode(data, &mut planes, workspace, |layout| size.require(layout));
        let decoded = match (found, T::RESAMPLE) {
            (Err(error), Some(resample)) if error.kind == Kind::Unsupported => {
                return self.decode_resampled(data, size, y, c, workspace, resample);
            }
            (found, _) => found?,
        };
        if size.is_levels {
            self.require_same_steps(&decoded)?;
        }
        Ok(())
    }

    /// Decode a frame of another sampling, and bring its chroma to 4:2:0.
    fn decode_resampled<T: Coefficient>(
        &self,
        data: &[u8],
        size: BatchSize,
        y: &mut [T],
        c: &mut [T],
        workspace: &mut Workspace,
        resample: Resample<T>,
    ) -> Result<()> {
        let layout = self.probe(data)?.layout;
        size.require_size(&layout)?;
        let areas = layout.components()[1..].iter().map(ComponentLayout::area);
        let mut chroma: Vec<Vec<T>> = areas.map(|area| vec![T::default(); BLOCK_AREA * area]).collect();
        let mut planes = vec![Plane { data: y }];
        planes.extend(chroma.iter_mut().map(|data| Plane { data }));
        self.decode(data, &mut planes, workspace, |layout| size.require_size(layout))?;
        resample(&layout, &chroma, c);
        Ok(())
    }

    /// Decode the first rows, two at a time, as long as their frames have the prefix that was read last. Return their
    /// number.
    ///
    /// A row of them that is not done has a fault, or more than EOI behind its scan: it must be decoded alone.
    pub fn decode_alike<T: Coefficient>(
        &self,
        size: BatchSize,
        rows: &mut [Row<'_, T>],
        workspace: &mut Workspace,
    ) -> usize {
        let Workspace { prefix, segments } = workspace;
        let prefix = match prefix {
            Some(prefix) if size.require(&prefix.plan.layout).is_ok() && self.has_steps(size, prefix) => {
                prefix
            }
            _ => return 0,
        };
        let alike = rows
            .iter()
            .take_while(|row| prefix.is_of(row.frame, &self.limits))
            .count();
        match prefix.shared_scan() {
            Some(scan) if alike > 1 => scan.decode_all(&mut rows[..alike], segments),
            _ => return 0,
        }
        alike
    }

    /// Whether a frame with this prefix has the steps that the batch needs.
    fn has_steps(&self, size: BatchSize, prefix: &Prefix) -> bool {
        !size.is_levels || self.require_same_steps(&prefix.decoded).is_ok()
    }

    /// Refuse levels that were quantised with other steps than those of the decoder's tables.
    fn require_same_steps(&self, decoded: &Decoded) -> Result<()> {
        match &self.known {
            Some(known) if known.set.quant[..] != *decoded.quant() => Err(Error::unknown_tables(
                decoded.tables_id,
                "the frame's steps are not the batch's; only dequantised batches take them",
            )),
            _ => Ok(()),
        }
    }
}
