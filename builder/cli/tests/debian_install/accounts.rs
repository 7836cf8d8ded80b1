use std::collections::{BTreeMap, BTreeSet};

/// Users and groups of a tree.
#[derive(Default)]
pub struct Accounts {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
    /// By file and name, the line without what may differ: numbers that Debian hands out as it goes, and dates.
    pub lines: BTreeMap<String, String>,
}

impl Accounts {
    pub const FILES: [&str; 4] = ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"];

    pub fn of(texts: &BTreeMap<String, String>) -> Accounts {
        let lines = |file: &str| {
            let text = texts.get(file).map(String::as_str).unwrap_or_default();
            text.lines().map(|line| line.split(':').collect::<Vec<&str>>()).collect::<Vec<_>>()
        };
        let numbered = |file: &str| {
            lines(file).iter().map(|line| (line[2].parse().unwrap(), line[0].to_owned())).collect()
        };
        let mut accounts = Accounts {
            users: numbered("/etc/passwd"),
            groups: numbered("/etc/group"),
            ..Accounts::default()
        };
        for file in Accounts::FILES {
            for line in lines(file) {
                let comparable = accounts.comparable(file, &line);
                accounts.lines.insert(format!("{file}:{}", line[0]), comparable);
            }
        }
        accounts
    }

    fn comparable(&self, file: &str, line: &[&str]) -> String {
        let mut line: Vec<String> = line.iter().map(|&field| field.to_owned()).collect();
        match file {
            "/etc/passwd" => {
                line[3] = self.group(line[3].parse().unwrap());
                line[2] = number(&line[2]);
            }
            "/etc/group" => {
                line[2] = number(&line[2]);
                line[3] =
                    line[3].split(',').collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(",");
            }
            "/etc/shadow" => line[2] = "DATE".into(),
            _ => {}
        }
        line.join(":")
    }

    pub fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    pub fn group(&self, gid: u32) -> String {
        self.groups.get(&gid).cloned().unwrap_or_else(|| gid.to_string())
    }

    pub fn uid(&self, name: &str) -> u32 {
        number_of(&self.users, name)
    }

    pub fn gid(&self, name: &str) -> u32 {
        number_of(&self.groups, name)
    }
}

fn number_of(names: &BTreeMap<u32, String>, name: &str) -> u32 {
    let found = names.iter().find(|(_, known)| *known == name).map(|(number, _)| *number);
    found.unwrap_or_else(|| name.parse().unwrap_or_else(|_| panic!("nobody is called {name}")))
}

/// Numbers below 100 and that of nobody are the same on every Debian (Debian Policy 9.2.2).
fn number(text: &str) -> String {
    let number: u32 = text.parse().unwrap();
    if number < 100 || number == 65534 { text.to_owned() } else { "NUMBER".into() }
}
