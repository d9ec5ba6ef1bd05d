//! Which colours three components are: told by application segments and identifiers, as libjpeg does.

use crate::error::Result;
use crate::geometry::sampling::Sampling;
use crate::syntax::frame_header::Frame;
use crate::syntax::unsupported::unsupported;

/// What the APP0 (JFIF) and APP14 (Adobe) segments met so far say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Colours {
    pub is_jfif: bool,
    pub adobe_transform: Option<u8>,
}

impl Colours {
    /// Refuse a frame of RGB components.
    pub fn require_ycbcr(self, frame: &Frame) -> Result<()> {
        let named_rgb = frame
            .components()
            .iter()
            .map(|component| component.id)
            .eq(*b"RGB");
        let is_rgb = match self.adobe_transform {
            _ if self.is_jfif || frame.layout.sampling == Sampling::Grey => false,
            Some(transform) => transform == 0,
            None => named_rgb,
        };
        if is_rgb {
            Err(unsupported("RGB components"))
        } else {
            Ok(())
        }
    }
}
