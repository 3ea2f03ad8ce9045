//! Replicas in network namespaces of their own, joined by a bridge in another one: every replica has an address of its
//! own and the same ports, and what passes between two of them can be stopped in either direction while clients still
//! reach both.
//!
//! Needs root and iproute2, and nothing else. A packet is stopped by its sender's neighbour table: the receiver's address
//! leads to the hole, a device that is on the bridge, receives and never answers. So nobody notices but by silence, as
//! with a cable that is out, and the hole counts what it swallowed.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// The hardware address of the hole.
const HOLE: &str = "02:00:00:00:00:ee";

/// The device of a replica.
const DEVICE: &str = "eth0";

/// The namespaces of one cluster; they go with this.
pub(super) struct Namespaces {
    slot: u16,
}

impl Namespaces {
    /// Makes them.
    ///
    /// # Errors
    /// What could not be done and what is needed for it.
    pub(super) fn make(slot: u16, replicas: &[(String, Ipv4Addr)]) -> Result<Self, String> {
        let this = Self { slot };
        this.lay(replicas).map_err(|error| {
            format!(
                "links between replicas can be cut only with network namespaces, for which this must run as root and \
                 with iproute2 installed (apt-get install iproute2): {error}"
            )
        })?;
        Ok(this)
    }

    /// Removes what is left of the namespaces of a slot.
    pub(super) fn remove_leftovers(slot: u16) {
        drop(Self { slot });
    }

    fn lay(&self, replicas: &[(String, Ipv4Addr)]) -> Result<(), String> {
        let (clients, switch) = (self.prefix(), self.namespace("switch"));
        let in_switch = |words: &str| ip(&format!("-n {switch} {words}"));
        ip(&format!("netns add {switch}"))?;
        in_switch("link add name bridge type bridge mcast_snooping 0")?;
        // Without addresses of its own the bridge says nothing that the hole could count.
        in_switch("link set dev bridge addrgenmode none")?;
        in_switch("link set dev bridge up")?;
        in_switch(&format!(
            "link add name hole-port type veth peer name hole address {HOLE}"
        ))?;
        in_switch("link set dev hole addrgenmode none")?;
        in_switch("link set dev hole-port addrgenmode none")?;
        in_switch("link set dev hole-port master bridge")?;
        in_switch(
            "link set dev hole-port type bridge_slave flood off mcast_flood off bcast_flood off learning off",
        )?;
        in_switch("link set dev hole-port up")?;
        in_switch("link set dev hole up")?;
        run(
            "bridge",
            &format!("-n {switch} fdb add {HOLE} dev hole-port master static"),
        )?;
        ip(&format!(
            "link add name {clients} type veth peer name clients netns {switch}"
        ))?;
        in_switch("link set dev clients master bridge up")?;
        ip(&format!("addr add {}/24 dev {clients}", address(self.slot, 1)))?;
        ip(&format!("link set dev {clients} up"))?;
        for (name, address) in replicas {
            let namespace = self.namespace(name);
            ip(&format!("netns add {namespace}"))?;
            ip(&format!("-n {namespace} link set dev lo up"))?;
            in_switch(&format!(
                "link add name port-{name} type veth peer name {DEVICE} netns {namespace}"
            ))?;
            in_switch(&format!("link set dev port-{name} master bridge up"))?;
            ip(&format!("-n {namespace} addr add {address}/24 dev {DEVICE}"))?;
            ip(&format!("-n {namespace} link set dev {DEVICE} up"))?;
        }
        Ok(())
    }

    /// The program and arguments that run another program in a replica's namespace.
    pub(super) fn enter(&self, replica: &str) -> Vec<String> {
        let program = find("ip").display().to_string();
        vec![
            program,
            "netns".to_owned(),
            "exec".to_owned(),
            self.namespace(replica),
        ]
    }

    /// A replica's packets to an address vanish.
    pub(super) fn swallow(&self, from: &str, to: Ipv4Addr) -> Result<(), String> {
        let namespace = self.namespace(from);
        ip(&format!(
            "-n {namespace} neigh replace {to} lladdr {HOLE} nud permanent dev {DEVICE}"
        ))
    }

    /// A replica's packets to an address arrive again.
    pub(super) fn pass(&self, from: &str, to: Ipv4Addr) -> Result<(), String> {
        ip(&format!(
            "-n {} neigh del {to} dev {DEVICE}",
            self.namespace(from)
        ))
    }

    /// A replica is told at once that an address cannot be reached.
    pub(super) fn refuse(&self, from: &str, to: Ipv4Addr) -> Result<(), String> {
        ip(&format!(
            "-n {} route add unreachable {to}/32",
            self.namespace(from)
        ))
    }

    /// A replica is no longer told that an address cannot be reached.
    pub(super) fn accept(&self, from: &str, to: Ipv4Addr) -> Result<(), String> {
        ip(&format!(
            "-n {} route del unreachable {to}/32",
            self.namespace(from)
        ))
    }

    /// All that a replica sends goes through a narrow pipe.
    pub(super) fn throttle(&self, replica: &str, kilobits_per_second: u32) -> Result<(), String> {
        let pipe = format!("tbf rate {kilobits_per_second}kbit burst 4kb latency 500ms");
        let namespace = self.namespace(replica);
        run(
            "tc",
            &format!("-n {namespace} qdisc replace dev {DEVICE} root {pipe}"),
        )
    }

    /// What a replica sends is not throttled any more.
    pub(super) fn unthrottle(&self, replica: &str) -> Result<(), String> {
        run(
            "tc",
            &format!("-n {} qdisc del dev {DEVICE} root", self.namespace(replica)),
        )
    }

    /// A replica that does not run gets another address instead of its own.
    pub(super) fn readdress(&self, replica: &str, from: Ipv4Addr, to: Ipv4Addr) -> Result<(), String> {
        let namespace = self.namespace(replica);
        ip(&format!("-n {namespace} addr del {from}/24 dev {DEVICE}"))?;
        ip(&format!("-n {namespace} addr add {to}/24 dev {DEVICE}"))
    }

    /// Packets that the hole has swallowed so far.
    pub(super) fn swallowed(&self) -> Result<u64, String> {
        let switch = self.namespace("switch");
        let shown = output("ip", &format!("-n {switch} -s -j link show dev hole"))?;
        number_in(&shown, "/0/stats64/rx/packets")
    }

    /// Packets of a replica so far that had no way to go.
    pub(super) fn refused(&self, replica: &str) -> Result<u64, String> {
        let namespace = self.namespace(replica);
        let counters = output("ip", &format!("netns exec {namespace} cat /proc/net/snmp"))?;
        // One line has the names, the next one the numbers.
        let mut lines = counters.lines().filter(|line| line.starts_with("Ip:"));
        let names = lines.next().unwrap_or_default().split_whitespace();
        let numbers = lines.next().unwrap_or_default().split_whitespace();
        let found = names.zip(numbers).find(|(name, _)| *name == "OutNoRoutes");
        let number = found.and_then(|(_, number)| number.parse().ok());
        number.ok_or_else(|| format!("no packets without a way in {counters}"))
    }

    /// Packets of a throttled replica so far that had to wait.
    pub(super) fn held_up(&self, replica: &str) -> Result<u64, String> {
        let namespace = self.namespace(replica);
        let shown = output("tc", &format!("-n {namespace} -s -j qdisc show dev {DEVICE}"))?;
        number_in(&shown, "/0/overlimits")
    }

    fn prefix(&self) -> String {
        format!("zephyrfs{}", self.slot)
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix())
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // What is not there need not go, and a developer without root never has any.
        let listed = output("ip", "netns list").unwrap_or_default();
        let own = self.namespace("");
        for namespace in listed.lines().filter_map(|line| line.split_whitespace().next()) {
            if namespace.starts_with(&own) {
                let _ = ip(&format!("netns delete {namespace}"));
            }
        }
        let _ = ip(&format!("link delete dev {}", self.prefix()));
    }
}

/// An address in the network of a slot, of those that are set apart for tests of networks.
pub(super) const fn address(slot: u16, host: u8) -> Ipv4Addr {
    // 198.18.0.0/15 has room for 512 such networks; there are fewer slots.
    Ipv4Addr::new(198, 18, slot.to_le_bytes()[0], host)
}

fn ip(words: &str) -> Result<(), String> {
    run("ip", words)
}

fn run(program: &str, words: &str) -> Result<(), String> {
    output(program, words).map(drop)
}

fn output(program: &str, words: &str) -> Result<String, String> {
    let output = Command::new(find(program))
        .args(words.split_whitespace())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!(
            "{program} {words}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }
}

fn number_in(text: &str, pointer: &str) -> Result<u64, String> {
    let shown: Value = serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
    let number = shown.pointer(pointer).and_then(Value::as_u64);
    number.ok_or_else(|| format!("no {pointer} in {text}"))
}

/// The path of a program that may lie where only root's PATH leads.
fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let mut found = folders
        .map(|folder| folder.join(program))
        .filter(|path| path.is_file());
    found.next().unwrap_or_else(|| PathBuf::from(program))
}
