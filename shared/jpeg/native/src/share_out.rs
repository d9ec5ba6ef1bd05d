//! Work that several threads share.

use std::sync::{Mutex, PoisonError};
use std::thread;

/// Do `work` on every item on at most `threads` threads, the calling one among them. Each thread has a state of its own:
/// the calling one `own`, any other a `fresh` one.
pub fn share_out<T, S>(
    items: impl Iterator<Item = T> + Send,
    threads: usize,
    own: &mut S,
    fresh: impl Fn() -> S + Sync,
    work: impl Fn(T, &mut S) + Sync,
) {
    if threads <= 1 {
        return items.for_each(|item| work(item, own));
    }
    let items = Mutex::new(items);
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let take_part = |state: &mut S| {
        while let Some(item) = next() {
            work(item, state);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            let spawned = thread::Builder::new().spawn_scoped(scope, || take_part(&mut fresh()));
            // Where the system grants no more threads, those that run do all of the work.
            if spawned.is_err() {
                break;
            }
        }
        take_part(own);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_by_any_number_of_threads() {
        for threads in [0, 1, 2, 5, 200] {
            let mut items = [0; 100];
            share_out(items.iter_mut(), threads, &mut (), || (), |item, ()| *item += 1);
            assert_eq!(items, [1; 100]);
        }
    }
}
