//! A client: one operation after another at its own replica, each noted with what it was told. It believes what the
//! contract promises of each answer, so that a broken promise shows in the history.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value as Json;

use super::registers::{body, path, seen};
use super::traffic::Shared;
use crate::history::{Effect, Place, Started, Value};
use crate::rest::{Answer, Rest};

/// Attempts of a command with an idempotency key, at most.
const ATTEMPTS: usize = 20;

/// Between two attempts, and after an operation that came to nothing.
const PAUSE: Duration = Duration::from_millis(50);

/// Between two operations: clients are there to meet, not to keep the machine busy.
const THINKING_MILLIS: u64 = 30;

/// What an answer says of a command.
enum Told {
    /// It is decided.
    Answered(Answer),
    /// It surely had no effect.
    Refused,
    /// It may or may not take effect.
    Unknown,
}

/// One attempt of a command.
struct Command {
    method: &'static str,
    path: String,
    body: Option<Json>,
    key: Option<String>,
}

/// What came of a command.
struct Done {
    answer: Option<Answer>,
    /// When the answered attempt was begun.
    started: Started,
    /// When the first attempt was begun of which it is not known what became of it, if there is one.
    lost: Option<Started>,
}

pub(super) struct Client {
    shared: Arc<Shared>,
    name: String,
    home: usize,
    random: SmallRng,
    commands: u64,
    /// The latest index that it was shown.
    known: u64,
}

impl Client {
    pub(super) fn new(shared: Arc<Shared>, home: usize, number: u64, seed: u64) -> Self {
        let replica = &shared.replicas[home].0;
        Self {
            name: format!("client-{replica}-{number}"),
            random: SmallRng::seed_from_u64(seed ^ ((home as u64) << 32) ^ (number << 40)),
            shared,
            home,
            commands: 0,
            known: 0,
        }
    }

    pub(super) async fn work(mut self) {
        while !self.shared.is_over() {
            let register = self.shared.registers.choose(&mut self.random);
            let came_to_something = match self.random.random_range(0..100) {
                0..35 => self.read(&register).await,
                35..50 => self.look(&register).await,
                50..85 => self.write(&register).await,
                _ => self.delete(&register).await,
            };
            let pause = Duration::from_millis(self.random.random_range(0..THINKING_MILLIS));
            tokio::time::sleep(if came_to_something { pause } else { PAUSE }).await;
        }
    }

    fn home(&self) -> (&str, &Rest) {
        let (name, rest) = &self.shared.replicas[self.home];
        (name, rest)
    }

    async fn read(&mut self, register: &str) -> bool {
        let query = if self.random.random_bool(0.2) {
            "?consistency=leader"
        } else {
            ""
        };
        let path = format!("{}{query}", path(register));
        self.get(register, &path, Effect::Read).await
    }

    /// Reads the replica's own state, which must be as far as the client has been.
    async fn look(&mut self, register: &str) -> bool {
        let path = format!("{}?consistency=local&at_least={}", path(register), self.known);
        self.get(register, &path, Effect::Looked).await
    }

    async fn get(&mut self, register: &str, path: &str, effect: fn(Option<Value>) -> Effect) -> bool {
        let started = self.shared.recorder.start();
        let answer = self.home().1.send("GET", path, None).await;
        let home = self.home().0;
        let Some(answer) = answer.ok().filter(|answer| ![503, 504].contains(&answer.status)) else {
            self.shared.count(home, |counts| counts.refused += 1);
            return false;
        };
        let Some(seen) = seen(&answer) else {
            self.shared
                .surprise(format!("{}: GET {path}: {answer:?}", self.name));
            return false;
        };
        self.shared.count(home, |counts| counts.reads += 1);
        if answer.applied_index < Some(self.known) {
            self.shared.surprise(format!(
                "{} was shown {} before: {answer:?}",
                self.name, self.known
            ));
        }
        self.note(register, started, effect(seen), &answer, false);
        true
    }

    async fn write(&mut self, register: &str) -> bool {
        let value = self.shared.registers.new_value();
        let command = Command {
            method: "POST",
            path: "/api/v1/files/register".to_owned(),
            body: Some(body(register, value)),
            key: self.key(),
        };
        let Done {
            answer,
            started,
            lost,
        } = self.have_done(&command).await;
        match answer {
            Some(answer) if answer.status == 201 => {
                self.note(
                    register,
                    lost.unwrap_or(started),
                    Effect::Wrote(value),
                    &answer,
                    command.key.is_some(),
                );
                true
            }
            answer => {
                self.note_lost(register, lost, Effect::MayHaveWritten(value));
                self.shun(&command, answer);
                false
            }
        }
    }

    async fn delete(&mut self, register: &str) -> bool {
        let command = Command {
            method: "DELETE",
            path: path(register),
            body: None,
            key: self.key(),
        };
        let Done {
            answer,
            started,
            lost,
        } = self.have_done(&command).await;
        match answer {
            Some(answer) if answer.status == 200 => {
                self.note(
                    register,
                    lost.unwrap_or(started),
                    Effect::Deleted,
                    &answer,
                    command.key.is_some(),
                );
                true
            }
            Some(answer) if answer.status == 404 => {
                // A deletion that finds nothing is not remembered, so an attempt before may still come to something.
                self.note_lost(register, lost, Effect::MayHaveDeleted);
                self.note(register, started, Effect::FoundNothing, &answer, false);
                true
            }
            answer => {
                self.note_lost(register, lost, Effect::MayHaveDeleted);
                self.shun(&command, answer);
                false
            }
        }
    }

    /// Half of all commands have a key, and are repeated until they are answered.
    fn key(&mut self) -> Option<String> {
        self.commands += 1;
        let key = format!("{}-{}", self.name, self.commands);
        self.random.random_bool(0.5).then_some(key)
    }

    async fn have_done(&self, command: &Command) -> Done {
        let mut lost = None;
        let replicas = self.shared.replicas.iter().cycle().skip(self.home);
        let attempts = if command.key.is_some() { ATTEMPTS } else { 1 };
        let mut started = self.shared.recorder.start();
        for (replica, rest) in replicas.take(attempts) {
            started = self.shared.recorder.start();
            match self.attempt(rest, command).await {
                Told::Answered(answer) => {
                    self.shared.count(replica, |counts| counts.commands += 1);
                    let answer = Some(answer);
                    return Done {
                        answer,
                        started,
                        lost,
                    };
                }
                Told::Unknown => lost = lost.or(Some(started)),
                Told::Refused => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.shared.count(self.home().0, |counts| match lost {
            Some(_) => counts.unknown += 1,
            None => counts.refused += 1,
        });
        let answer = None;
        Done {
            answer,
            started,
            lost,
        }
    }

    async fn attempt(&self, rest: &Rest, command: &Command) -> Told {
        let Command {
            method,
            path,
            body,
            key,
        } = command;
        let answer = rest.send_with(method, path, body.as_ref(), key.as_deref()).await;
        match answer {
            Ok(answer) => match (answer.status, answer.body["error"].as_str()) {
                (503, _) | (504, Some("deadline exceeded")) => Told::Refused,
                (504, _) => Told::Unknown,
                _ => Told::Answered(answer),
            },
            Err(error) if error.is_connect() => Told::Refused,
            Err(_) => Told::Unknown,
        }
    }

    fn note(
        &mut self,
        register: &str,
        started: Started,
        effect: Effect,
        answer: &Answer,
        may_be_repeated: bool,
    ) {
        let place = match answer.applied_index {
            // The answer to a repetition is that of the first time, and has the index of the repetition; and a replica repeats
            // by itself what a lost leader did not answer.
            Some(index) if may_be_repeated => Place::UpTo(index),
            Some(index) => Place::At(index),
            None => Place::Unknown,
        };
        self.known = self.known.max(answer.applied_index.unwrap_or(0));
        self.shared
            .recorder
            .end(register, &self.name, started, effect, place);
    }

    fn note_lost(&self, register: &str, lost: Option<Started>, effect: Effect) {
        if let Some(started) = lost {
            self.shared
                .recorder
                .end(register, &self.name, started, effect, Place::Unknown);
        }
    }

    /// An answer to a command that is none of those that the contract has for it.
    fn shun(&self, command: &Command, answer: Option<Answer>) {
        if let Some(answer) = answer {
            let Command { method, path, .. } = command;
            self.shared
                .surprise(format!("{}: {method} {path}: {answer:?}", self.name));
        }
    }
}
