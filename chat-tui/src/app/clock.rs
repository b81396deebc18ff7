//! What happens because time passes, and when the clock has to be looked at next.

use chat_core::model::Timestamp;

use super::{
    App, Screen,
    link::{LinkState, seconds_until},
};
use crate::effect::Effect;

impl App {
    /// When something changes by itself, if it does.
    #[must_use]
    pub fn next_tick(&self) -> Option<Timestamp> {
        let idle_at = self.own.idle_at();
        let idle_at = idle_at.filter(|_| matches!(self.screen, Screen::Main));
        let moves_at = self.moves_at();
        let times = [idle_at, self.next_second(), moves_at];
        times.into_iter().flatten().min()
    }

    /// When a countdown changes.
    fn next_second(&self) -> Option<Timestamp> {
        let until = match (&self.screen, &self.link) {
            (Screen::Resuming(resuming), _) => resuming.retry_at?,
            (Screen::Main, LinkState::Waiting { until, .. }) => *until,
            _ => return None,
        };
        let left = until.as_millis() - self.now.as_millis();
        (left > 0).then(|| {
            // The countdown changes when whole seconds are left.
            let to_whole_second = match left % 1_000 {
                0 => 1_000,
                part => part,
            };
            Timestamp::from_millis(self.now.as_millis() + to_whole_second)
        })
    }

    /// It is this late now; whether anything visible may have changed by it.
    pub(super) fn tick(&mut self, now: Timestamp, effects: &mut Vec<Effect>) -> bool {
        let before = self.now;
        self.now = now;
        let idle = self.grow_idle(effects);
        let counted = |until| seconds_until(until, before) != seconds_until(until, now);
        let counted = match (&mut self.screen, &self.link) {
            (Screen::Resuming(resuming), _) => match resuming.retry_at {
                Some(until) => {
                    effects.extend(resuming.retry(now, false));
                    counted(until)
                }
                None => false,
            },
            (_, LinkState::Waiting { until, .. }) => counted(*until),
            _ => false,
        };
        let resumes = self.resume_again(false, effects);
        let moves = self.move_if_idle();
        idle || counted || resumes || moves
    }
}
